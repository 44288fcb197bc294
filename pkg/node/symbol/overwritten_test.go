//go:build linux

package symbol

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// A file into which another program was written while the profile was taken names nothing, because its functions are
// those of the other program.
func TestOverwrittenProgram(t *testing.T) {
	build := func(name string, flags ...string) string {
		program := filepath.Join(t.TempDir(), name)
		run(t, "cc", append([]string{"-O1", "-Wl,--build-id", "-o", program, writeSource(t, strings.ReplaceAll(cSource, "local_fn", name))}, flags...)...)
		return program
	}
	for _, c := range []struct {
		name   string
		flags  string
		change func(t *testing.T, path string)
		want   bool // the functions have names
	}{
		{"another program", "-Wl,--build-id", func(t *testing.T, path string) { overwrite(t, path, read(t, build("second")), false) }, false},
		{"another program with the time of the first", "-Wl,--build-id", func(t *testing.T, path string) { overwrite(t, path, read(t, build("second")), true) }, false},
		{"another program without a build ID", "-Wl,--build-id=none", func(t *testing.T, path string) {
			overwrite(t, path, read(t, build("second", "-Wl,--build-id=none")), false)
		}, false},
		{"touched", "-Wl,--build-id", func(t *testing.T, path string) { overwrite(t, path, read(t, path), false) }, true},
		{"unchanged", "-Wl,--build-id=none", func(*testing.T, string) {}, true},
		{"emptied", "-Wl,--build-id", func(t *testing.T, path string) { overwrite(t, path, nil, false) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "program")
			run(t, "cc", "-O1", c.flags, "-o", program, writeSource(t, cSource))
			at := symbolAddress(t, run(t, "nm", program), "local_fn")
			f := openPath(t, program)
			f.BuildID() // as when its unwind table is loaded
			c.change(t, program)
			m := &profile.Mapping{ID: 1, Start: 0x1000_0000, Limit: 0x2000_0000, File: program}
			p := profileAt(m, 0x1000_0000+at)
			if err := Symbolize(p, func(*profile.Mapping) *proc.File { return f }, noPerfMap); err != nil {
				t.Fatal(err)
			}
			got := strings.Join(names(p), ";")
			if (got == "local_fn") != c.want || strings.Contains(got, "second") {
				t.Errorf("named %s", got)
			}
			if said := strings.Contains(strings.Join(p.Comments, ";"), "overwritten"); said == c.want {
				t.Errorf("a comment says that the file was overwritten: %v; %q", said, p.Comments)
			}
		})
	}
}

func writeSource(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "p.c")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// overwrite writes into a file, which keeps its inode. Its time is an hour later afterwards, unless keepTime is set.
func overwrite(t *testing.T, path string, content []byte, keepTime bool) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o755); err != nil {
		t.Fatal(err)
	}
	at := info.ModTime()
	if !keepTime {
		at = at.Add(time.Hour)
	}
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}
