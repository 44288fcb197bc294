package cli

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/terminal"
)

func writes(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

func entries(t *testing.T, dir string) string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func TestOutput(t *testing.T) {
	for name, c := range map[string]struct {
		path, want string
	}{
		"a file":                {"web.svg", "web.svg"},
		"in new directories":    {"a/b/web.svg", "a/b/web.svg"},
		"over an old file":      {"old.svg", "old.svg"},
		"through a link":        {"link.svg", "old.svg"},
		"a directory":           {"dir", "dir/chosen.svg"},
		"a directory to be":     {"new/", "new/chosen.svg"},
		"the working directory": {"", "chosen.svg"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			if err := errors.Join(os.Mkdir("dir", 0o777), os.WriteFile("old.svg", []byte("old"), 0o666), os.Symlink("old.svg", "link.svg")); err != nil {
				t.Fatal(err)
			}
			o, err := openOutput(c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			path, err := o.commit("chosen.svg", writes("new"))
			if err != nil {
				t.Fatal(err)
			}
			if path != c.want {
				t.Errorf("path %q, want %q", path, c.want)
			}
			if got, err := os.ReadFile(c.want); err != nil || string(got) != "new" {
				t.Errorf("%q, %v", got, err)
			}
			if got := entries(t, filepath.Dir(c.want)); strings.Contains(got, ".tmp") {
				t.Errorf("left: %s", got)
			}
			if info, err := os.Lstat("link.svg"); err != nil || info.Mode().Type() != os.ModeSymlink {
				t.Errorf("the link was replaced: %v, %v", info, err)
			}
		})
	}
}

func TestUnwritableOutput(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(file, "web.svg"): "not a directory",
		"/proc/web.svg":                "no such file or directory",
		strings.Repeat("x", 256):       "file name too long",
	} {
		_, err := openOutput(path, nil)
		if err == nil || !strings.HasPrefix(err.Error(), "cannot write "+path+": ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestFailedOutputLeavesWhatWasThere(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "web.svg")
	if err := os.WriteFile(file, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	o, err := openOutput(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("no space left on device")
	if _, err := o.commit("", func(w io.Writer) error { io.WriteString(w, "half"); return full }); !errors.Is(err, full) {
		t.Errorf("error %v", err)
	}
	if got, _ := os.ReadFile(file); string(got) != "old" || entries(t, dir) != "web.svg" {
		t.Errorf("%q in %s", got, entries(t, dir))
	}
}

func TestOutputIsNotLostForItsName(t *testing.T) {
	long := strings.Repeat("x", 252) + ".pb.gz"
	for name, c := range map[string]struct {
		path, chosen string
		prepare      func() error // between openOutput and commit
		dir, ending  string       // of the result
	}{
		"name too long":               {"dir/", long, func() error { return nil }, "dir", ".pb.gz"},
		"name has become a directory": {"dir/web.svg", "", func() error { return os.MkdirAll("dir/web.svg/x", 0o777) }, "dir", ".svg"},
		"directory was removed":       {"dir/web.svg", "", func() error { return os.Remove("dir") }, ".", "web.svg"},
		"directory was removed, and the name is taken": {"dir/web.svg", "", func() error {
			return errors.Join(os.Remove("dir"), os.WriteFile("web.svg", []byte("other"), 0o666))
		}, ".", ".svg"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if err := os.Mkdir("dir", 0o777); err != nil {
				t.Fatal(err)
			}
			o, err := openOutput(c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.prepare(); err != nil {
				t.Fatal(err)
			}
			path, err := o.commit(c.chosen, writes("new"))
			if err == nil || !strings.HasSuffix(err.Error(), "; it was written to "+path+" instead") {
				t.Errorf("error %v", err)
			}
			if filepath.Dir(path) != c.dir || !strings.HasSuffix(path, c.ending) {
				t.Errorf("path %q", path)
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != "new" {
				t.Errorf("%q, %v", got, err)
			}
			if got, err := os.ReadFile("web.svg"); path != "web.svg" && err == nil && string(got) != "other" {
				t.Errorf("web.svg in the working directory was replaced by %q", got)
			}
		})
	}
}

func TestOutputToADevice(t *testing.T) {
	o, err := openOutput(os.DevNull, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.commit("", writes("text")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Fatalf("%s was replaced: %v, %v", os.DevNull, info, err)
	}
}

// A terminal that is named as a file gets escaped text, as stdout does.
func TestOutputToATerminal(t *testing.T) {
	const ptmx = "/dev/ptmx"
	o, err := openOutput(ptmx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := o.stream.(*terminal.Writer); !ok {
		t.Errorf("%s is written by a %T", ptmx, o.stream)
	}
}

func TestOutputToStdout(t *testing.T) {
	var b bytes.Buffer
	o, err := openOutput("-", &b)
	if err != nil {
		t.Fatal(err)
	}
	if path, err := o.commit("chosen.svg", writes("text")); path != "" || err != nil || b.String() != "text" {
		t.Errorf("%q, %v, %q", path, err, &b)
	}
}
