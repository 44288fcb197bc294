//go:build linux

package golang

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// toolchains has one release of each version of Go that is known; "local" is the one that runs the
// tests.
var toolchains = []string{"1.20.14", "1.21.13", "1.22.12", "1.23.12", "1.24.13", "1.25.7", "local"}

// positionIndependent are those between which such code changed: what takes long here is compiling
// the runtime.
var positionIndependent = []string{"1.20.14", "1.23.12", "local"}

// build compiles a program of testdata by a version of Go.
func build(t testing.TB, version, arch, program string, args ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), program)
	cmd := exec.Command("go", append([]string{"build", "-buildvcs=false", "-o", out}, append(args, "./"+program)...)...)
	cmd.Dir = "testdata/programs"
	if version != "local" {
		version = "go" + version
	}
	cmd.Env = append(os.Environ(), "GOTOOLCHAIN="+version, "GOARCH="+arch, "GOFLAGS=")
	cgo := "0"
	if slices.Contains(args, "-race") {
		cgo = "1"
	}
	cmd.Env = append(cmd.Env, "CGO_ENABLED="+cgo)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: build %s for %s: %v\n%s", version, program, arch, err, text)
	}
	return out
}

// TestVariablesByCode compares what machine code leads to with the symbols, in programs of every
// version of Go and both architectures, position-independent and not.
func TestVariablesByCode(t *testing.T) {
	for _, version := range toolchains {
		for _, arch := range []string{"amd64", "arm64"} {
			for _, mode := range []string{"exe", "pie"} {
				if mode == "pie" && !slices.Contains(positionIndependent, version) {
					continue
				}
				t.Run(version+"/"+arch+"/"+mode, func(t *testing.T) {
					path := build(t, version, arch, "allocates", "-buildmode="+mode)
					f, err := os.Open(path)
					if err != nil {
						t.Fatal(err)
					}
					defer f.Close()
					r := openAt(t, f)
					symbols := r.symbols()
					code := newCodeSearch(r)
					for name := range rules {
						got, err := code.find(name)
						if want := symbols[name]; want == 0 || got != want {
							t.Errorf("%s: by its symbol at %#x, by the code at %#x (%v)", name, want, got, err)
						}
					}
				})
			}
		}
	}
}

// openAt opens a file that is mapped nowhere.
func openAt(t testing.TB, f *os.File) *Runtime {
	t.Helper()
	e, err := elf.NewFile(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range e.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 {
			r, err := open(f, nil, proc.Mapping{Start: p.Vaddr, Offset: p.Off})
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
	}
	t.Fatal("no code in the file")
	return nil
}
