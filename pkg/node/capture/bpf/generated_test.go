//go:build linux

package bpf

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// The committed BPF objects and Go types are current: compiling the C sources yields the same files.
func TestGeneratedFilesAreCurrent(t *testing.T) {
	need.Program(t, "clang-19", "clang-19")
	// bpf2go is a tool of this module and writes next to the sources, so module files and sources are copied.
	dir := t.TempDir()
	copyTo := func(paths ...string) {
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	sources, _ := filepath.Glob("*.[ch]")
	copyTo(append(sources, "bpf.go", "../../../../go.mod", "../../../../go.sum")...)
	cmd := exec.Command("go", "generate", ".")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go generate: %v\n%s", err, out)
	}
	generated, _ := filepath.Glob(filepath.Join(dir, "*_bpfel.*"))
	if len(generated) != 16 { // four programs, two architectures, an object and a Go file each
		t.Fatalf("generated %v, want 16 files", generated)
	}
	for _, path := range generated {
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Base(path))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is out of date; run `make generate` and commit the result", filepath.Base(path))
		}
	}
}
