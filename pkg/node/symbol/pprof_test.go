//go:build linux

package symbol

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// goBuild has the options for building a program.
type goBuild struct {
	name, toolchain string
	cgo             bool
	flags           []string
}

var goBuilds = []goBuild{
	{"plain", "local", false, nil},
	{"stripped", "local", false, []string{"-ldflags=-s -w"}},
	{"stripped PIE", "local", false, []string{"-buildmode=pie", "-ldflags=-s -w"}},
	{"stripped cgo", "local", true, []string{"-ldflags=-s -w"}},
	{"stripped cgo PIE", "local", true, []string{"-buildmode=pie", "-ldflags=-s -w"}},
	{"Go 1.18 stripped", "go1.18.10", false, []string{"-ldflags=-s -w"}},
	{"Go 1.20 stripped PIE", "go1.20.14", false, []string{"-buildmode=pie", "-ldflags=-s -w"}},
	{"Go 1.19 stripped cgo PIE", "go1.19.13", true, []string{"-buildmode=pie", "-ldflags=-s -w"}},
	{"Go 1.22 stripped cgo PIE", "go1.22.12", true, []string{"-buildmode=pie", "-ldflags=-s -w"}},
	{"Go 1.24 stripped", "go1.24.13", false, []string{"-ldflags=-s -w"}},
	{"Go 1.25 stripped PIE", "go1.25.7", false, []string{"-buildmode=pie", "-ldflags=-s -w"}},
	{"Go 1.25 stripped cgo PIE", "go1.25.7", true, []string{"-buildmode=pie", "-ldflags=-s -w"}},
}

// A program profiles itself with runtime/pprof. After removing the functions from that profile,
// Symbolize finds the same functions, files and lines everywhere.
func TestAgreesWithRuntimePprof(t *testing.T) {
	for _, build := range goBuilds {
		if testing.Short() && build.toolchain != "local" {
			continue
		}
		t.Run(build.name, func(t *testing.T) {
			want := runBusy(t, buildBusy(t, build))
			got := want.Copy()
			for _, l := range got.Location {
				l.Line = nil
			}
			got.Function = nil
			if err := Symbolize(got, filesOf(t), noPerfMap); err != nil {
				t.Fatal(err)
			}
			if len(got.Sample) < 20 {
				t.Fatalf("the program took %d samples of itself", len(got.Sample))
			}
			known := filesByName(got)
			for _, f := range want.Function {
				file := f.Filename
				if file == "?" {
					file = "" // what runtime/pprof writes for no file
				}
				if files := known[f.Name]; len(files) > 0 && !slices.Contains(files, file) {
					t.Errorf("%s: got files %q, want %q", f.Name, files, file)
				}
			}
			wrong := 0
			for i := range want.Sample {
				w, g := stackOf(want.Sample[i]), stackOf(divided(got.Sample[i], want.Sample[i]))
				if !slices.Equal(w, g) {
					wrong++
					if wrong <= 3 {
						t.Errorf("stack %d:\ngot  %s\nwant %s", i, strings.Join(g, "\n     "), strings.Join(w, "\n     "))
					}
				}
			}
			t.Logf("%d stacks, %d wrong", len(want.Sample), wrong)
		})
	}
}

// divided returns our sample with locations divided as runtime/pprof sometimes divides them: it has
// a call inlined into a leaf at the leaf's address, and the function around it at another one.
// Symbolize names all functions at an address.
func divided(ours, theirs *profile.Sample) *profile.Sample {
	s := *ours
	s.Location = slices.Clone(ours.Location)
	for i, l := range theirs.Location[:max(len(theirs.Location), 1)-1] {
		if len(theirs.Location[i+1].Line) == 0 {
			continue // an address for which runtime/pprof has no name
		}
		n, next := len(l.Line), theirs.Location[i+1].Line[0]
		for j, o := range s.Location {
			if o.ID == l.ID && n < len(o.Line) && o.Line[n].Function.Name == next.Function.Name && o.Line[n].Line == next.Line {
				part := *o
				part.Line = o.Line[:n]
				s.Location[j] = &part
			}
		}
	}
	return &s
}

// stackOf returns the frames of a stack without their files. In runtime/pprof all locations of a
// function have the file of the first one, even if they contain code of another file.
func stackOf(s *profile.Sample) []string {
	var frames []string
	for _, l := range s.Location {
		for _, line := range l.Line {
			frames = append(frames, fmt.Sprintf("%s:%d (%d)", line.Function.Name, line.Line, line.Function.StartLine))
		}
	}
	return frames
}

func filesByName(p *profile.Profile) map[string][]string {
	files := map[string][]string{}
	for _, f := range p.Function {
		files[f.Name] = append(files[f.Name], f.Filename)
	}
	return files
}

func filesOf(t *testing.T) func(*profile.Mapping) *proc.File {
	files := map[string]*proc.File{}
	return func(m *profile.Mapping) *proc.File {
		if !strings.HasPrefix(m.File, "/") {
			return nil
		}
		if files[m.File] == nil {
			files[m.File] = openPath(t, m.File)
		}
		return files[m.File]
	}
}

func runBusy(t *testing.T, program string) *profile.Profile {
	t.Helper()
	var out, diagnostics bytes.Buffer
	cmd := exec.Command(program)
	cmd.Stdout, cmd.Stderr = &out, &diagnostics
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, &diagnostics)
	}
	p, err := profile.Parse(&out)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func buildBusy(t *testing.T, b goBuild) string {
	t.Helper()
	source, err := os.ReadFile("testdata/busy/main.go.txt")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	text := string(source)
	if b.cgo {
		text = strings.Replace(text, "import (", "import \"C\"\n\nimport (", 1)
	}
	for name, text := range map[string]string{"main.go": text, "go.mod": "module example.com/busy\n\ngo 1.18\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(dir, "busy")
	cgo := "CGO_ENABLED=0"
	if b.cgo {
		cgo = "CGO_ENABLED=1"
	}
	cmd := exec.Command("go", append(append([]string{"build", "-o", out}, b.flags...), ".")...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), cgo, "GOFLAGS=", "GOTOOLCHAIN="+b.toolchain)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, text)
	}
	return out
}
