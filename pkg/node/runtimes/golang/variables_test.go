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

// toolchains holds one release of each supported version of Go. "local" is the one that runs the
// tests.
var toolchains = []string{"1.18.10", "1.19.13", "1.20.14", "1.21.13", "1.22.12", "1.23.12", "1.24.13", "1.25.7", "1.27.3", "local"}

// positionIndependent holds the releases with which position-independent programs are tested: those
// between which such code changed. Compiling the runtime for every release takes long.
var positionIndependent = []string{"1.18.10", "1.20.14", "1.23.12", "1.27.3", "local"}

// build compiles a program of testdata/programs with a version of Go and returns its path.
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

// The rules for machine code lead to the addresses in the symbol table, in programs built by every
// supported version of Go for both architectures, position-independent and not.
func TestVariablesByCode(t *testing.T) {
	for _, version := range toolchains {
		for _, arch := range []string{"amd64", "arm64"} {
			for _, mode := range []string{"exe", "pie"} {
				if mode == "pie" && !slices.Contains(positionIndependent, version) {
					continue
				}
				t.Run(version+"/"+arch+"/"+mode, func(t *testing.T) {
					checkVariables(t, build(t, version, arch, "allocates", "-buildmode="+mode))
				})
			}
		}
	}
}

// Programs that are compiled without inlining have other rules.
func TestVariablesByCodeWithoutInlining(t *testing.T) {
	for _, c := range []struct{ version, arch string }{{"1.19.13", "amd64"}, {"1.20.14", "amd64"}, {"local", "amd64"}, {"local", "arm64"}} {
		t.Run(c.version+"/"+c.arch, func(t *testing.T) {
			checkVariables(t, build(t, c.version, c.arch, "allocates", "-gcflags=all=-N -l"))
		})
	}
}

// checkVariables checks that the machine code of a program leads to the addresses in its symbol table.
func checkVariables(t *testing.T, path string) {
	t.Helper()
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
			t.Errorf("%s: symbol at %#x, found in the code at %#x (%v)", name, want, got, err)
		}
	}
	if _, err := r.variable("runtime.MemProfileRate"); err != nil {
		t.Error(err)
	}
	if err := r.checkRateVariable(); err != nil {
		t.Error(err)
	}
}

// openAt opens an executable that no process runs.
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
