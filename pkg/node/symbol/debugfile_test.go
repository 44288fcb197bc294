//go:build linux

package symbol

import (
	"debug/elf"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// Symbols that were moved out of a stripped program are found where distributions put them.
func TestSeparateSymbols(t *testing.T) {
	tests := map[string]func(t *testing.T, program string){
		"debuglink beside": func(t *testing.T, program string) { separate(t, program, program+".debug") },
		"debuglink in .debug": func(t *testing.T, program string) {
			separate(t, program, filepath.Join(filepath.Dir(program), ".debug", "shapes.debug"))
		},
		"mini-debuginfo":       func(t *testing.T, program string) { compressInto(t, program) },
		"mini-debuginfo small": func(t *testing.T, program string) { compressInto(t, program, "--lzma2=dict=64KiB") },
	}
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		t.Run(name, func(t *testing.T) {
			program := compile(t, "-g")
			address := functionRange(t, program, "hidden")[0]
			tests[name](t, program)
			if symbols, _ := symbolsOf(t, program); symbols != 0 {
				t.Fatalf("the program still has %d symbols", symbols)
			}
			n := openFile(openPath(t, program), nil)
			n.find([]uint64{address})
			frames := n.frames(address)
			if len(frames) == 0 || frames[len(frames)-1].name != "_ZL6hiddeni" {
				t.Errorf("got %+v, want _ZL6hiddeni", frames)
			}
		})
	}
}

func symbolsOf(t *testing.T, program string) (int, error) {
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	symbols, err := f.Symbols()
	return len(symbols), err
}

func separate(t *testing.T, program, debug string) {
	if err := os.MkdirAll(filepath.Dir(debug), 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, "objcopy", "--only-keep-debug", program, debug)
	run(t, "strip", program)
	run(t, "objcopy", "--add-gnu-debuglink="+debug, program)
}

// compressInto adds the symbol of the function hidden as rpm's find-debuginfo does.
func compressInto(t *testing.T, program string, flags ...string) {
	mini := program + ".mini"
	run(t, "objcopy", "-S", "--remove-section=.comment", "--keep-symbol=_ZL6hiddeni", program, mini)
	run(t, "xz", append(flags, mini)...)
	run(t, "strip", program)
	run(t, "objcopy", "--add-section=.gnu_debugdata="+mini+".xz", program)
}

// A debug file of another build is not used.
func TestForeignDebugFile(t *testing.T) {
	program, other := compile(t, "-g"), compile(t, "-g", "-DOTHER", "-O1")
	address := functionRange(t, program, "hidden")[0]
	separate(t, program, program+".debug")
	foreign, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program+".debug", foreign, 0o644); err != nil {
		t.Fatal(err)
	}
	n := openFile(openPath(t, program), nil)
	n.find([]uint64{address})
	if frames := n.frames(address); len(frames) != 0 {
		t.Errorf("got %+v from the debug file of another program", frames)
	}
}

// Debug files named by build ID are found in the target's root only.
func TestDebugFileByBuildID(t *testing.T) {
	need.Root(t) // to change a process's root
	for name, damage := range map[string]func(t *testing.T, debug string){
		"matching": nil,
		"of another build": func(t *testing.T, debug string) {
			run(t, "objcopy", "--only-keep-debug", compile(t, "-g", "-DOTHER", "-O1"), debug)
		},
		"missing": func(t *testing.T, debug string) { os.Remove(debug) },
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			program := compile(t, "-g")
			address := functionRange(t, program, "hidden")[0]
			id := openPath(t, program).BuildID()
			debug := filepath.Join(root, "usr/lib/debug/.build-id", id[:2], id[2:]+".debug")
			if err := os.MkdirAll(filepath.Dir(debug), 0o755); err != nil {
				t.Fatal(err)
			}
			run(t, "objcopy", "--only-keep-debug", program, debug)
			run(t, "strip", "-o", filepath.Join(root, "shapes"), program)
			if damage != nil {
				damage(t, debug)
			}
			f, err := processIn(t, root).OpenInRoot("/shapes")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			n := openFile(f, nil)
			n.find([]uint64{address})
			frames := n.frames(address)
			found := len(frames) > 0 && frames[len(frames)-1].name == "_ZL6hiddeni" && frames[0].line > 0
			if found != (damage == nil) {
				t.Errorf("got %+v", frames)
			}
		})
	}
}

// processIn starts a process whose root is the directory.
func processIn(t *testing.T, root string) *proc.Process {
	t.Helper()
	build := exec.Command("go", "build", "-o", filepath.Join(root, "sleeper"), "../proc/testdata/sleeper")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command("/sleeper")
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	p, err := proc.Open(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
