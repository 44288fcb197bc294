//go:build linux

package symbol

import (
	"debug/elf"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// A C++ program with calls that are inlined in each other and a function that only .symtab knows.
const cxxSource = `
#include <cstdio>
#include <cstdlib>
namespace shapes {
inline __attribute__((always_inline)) int innermost(int n) {
  volatile int sum = 0;
  for (int i = 0; i < n; i++) sum += i % 7;
  return sum;
}
template <typename T> struct Box {
  T value;
  inline __attribute__((always_inline)) int middle(int n) const { return innermost(n) + value; }
};
__attribute__((noinline)) int outermost(int n) {
  Box<int> box{n};
  return box.middle(n + 1);
}
}
static __attribute__((noinline)) int hidden(int n) { return shapes::outermost(n) + 1; }
int main(int argc, char **) { printf("%d\n", hidden(argc)); }
`

// compile builds the program with debugging information and gives its path and its .text addresses.
func compile(t *testing.T, flags ...string) string {
	t.Helper()
	dir := t.TempDir()
	source, program := filepath.Join(dir, "shapes.cc"), filepath.Join(dir, "shapes")
	if err := os.WriteFile(source, []byte(cxxSource), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, "c++", append(flags, "-O2", "-Wl,--build-id", "-o", program, source)...)
	return program
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// functionRange gives the addresses of a function by its mangled name.
func functionRange(t *testing.T, program, name string) []uint64 {
	t.Helper()
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		if strings.Contains(s.Name, name) && elf.ST_TYPE(s.Info) == elf.STT_FUNC {
			var all []uint64
			for a := s.Value; a < s.Value+s.Size; a++ {
				all = append(all, a)
			}
			return all
		}
	}
	t.Fatalf("no function %s", name)
	return nil
}

// At every address of the functions what is found is what binutils' addr2line says.
func TestDWARFAgreesWithAddr2line(t *testing.T) {
	for _, flags := range [][]string{{"-g", "-gdwarf-4"}, {"-g", "-gdwarf-5"}, {"-g", "-gz=zlib"}, {"-g", "-no-pie"}} {
		t.Run(strings.Join(flags, " "), func(t *testing.T) {
			program := compile(t, flags...)
			addresses := append(functionRange(t, program, "outermost"), functionRange(t, program, "hidden")...)
			slices.Sort(addresses)
			o := openFile(openPath(t, program))
			o.find(addresses)
			inlined := 0
			for _, a := range addresses {
				var got []string
				for _, f := range o.frames(a) {
					got = append(got, fmt.Sprintf("%s %s:%d", f.name, filepath.Base(f.file), f.line))
				}
				want := addr2line(t, program, a)
				if !slices.Equal(got, want) {
					t.Errorf("%#x: got %q, want %q", a, got, want)
				}
				if len(want) == 3 {
					inlined++
				}
			}
			if inlined == 0 {
				t.Error("no address with two inlined calls")
			}
		})
	}
}

// A function of several names, as the assembler and folding linkers describe it, is one frame.
func TestFunctionOfSeveralNames(t *testing.T) {
	dir := t.TempDir()
	source, program := filepath.Join(dir, "alias.s"), filepath.Join(dir, "alias")
	if err := os.WriteFile(source, []byte(`
	.text
	.globl main, first, second
	.type main, %function
	.type first, %function
	.type second, %function
main:
first:
second:
	nop
	nop
	ret
	.size main, .-main
	.size first, .-first
	.size second, .-second
	.section .note.GNU-stack, "", %progbits
`), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, "cc", "-g", "-o", program, source)
	if text := run(t, "readelf", "--debug-dump=info", program); strings.Count(text, "DW_TAG_subprogram") < 3 {
		t.Fatalf("this assembler does not describe each name: %s", text)
	}
	for _, a := range functionRange(t, program, "first") {
		o := openFile(openPath(t, program))
		o.find([]uint64{a})
		if frames := o.frames(a); len(frames) != 1 || !slices.Contains([]string{"main", "first", "second"}, frames[0].name) || filepath.Base(frames[0].file) != "alias.s" || frames[0].line < 10 {
			t.Errorf("%#x: %+v", a, frames)
		}
	}
}

func addr2line(t *testing.T, program string, address uint64) []string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(run(t, "addr2line", "-ifC", "-e", program, strconv.FormatUint(address, 16))), "\n")
	var frames []string
	for i := 0; i+1 < len(lines); i += 2 {
		place, _, _ := strings.Cut(lines[i+1], " (discriminator")
		frames = append(frames, lines[i]+" "+filepath.Base(place))
	}
	return frames
}

// Symbols that were split off a stripped program are found where distributions put them.
func TestSplitOffSymbols(t *testing.T) {
	tests := map[string]func(t *testing.T, program string){
		"debuglink beside": func(t *testing.T, program string) { splitOff(t, program, program+".debug") },
		"debuglink in .debug": func(t *testing.T, program string) {
			splitOff(t, program, filepath.Join(filepath.Dir(program), ".debug", "shapes.debug"))
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
			o := openFile(openPath(t, program))
			o.find([]uint64{address})
			frames := o.frames(address)
			if len(frames) == 0 || frames[len(frames)-1].name != "hidden(int)" {
				t.Errorf("got %+v, want hidden(int)", frames)
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

func splitOff(t *testing.T, program, debug string) {
	if err := os.MkdirAll(filepath.Dir(debug), 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, "objcopy", "--only-keep-debug", program, debug)
	run(t, "strip", program)
	run(t, "objcopy", "--add-gnu-debuglink="+debug, program)
}

// compressInto does as rpm's find-debuginfo does.
func compressInto(t *testing.T, program string, flags ...string) {
	mini := program + ".mini"
	run(t, "objcopy", "-S", "--remove-section=.comment", "--keep-symbol=_ZL6hiddeni", program, mini)
	run(t, "xz", append(flags, mini)...)
	run(t, "strip", program)
	run(t, "objcopy", "--add-section=.gnu_debugdata="+mini+".xz", program)
}

// A debug file that belongs to another build is not believed.
func TestForeignDebugFile(t *testing.T) {
	program, other := compile(t, "-g"), compile(t, "-g", "-DOTHER", "-O1")
	address := functionRange(t, program, "hidden")[0]
	splitOff(t, program, program+".debug")
	foreign, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program+".debug", foreign, 0o644); err != nil {
		t.Fatal(err)
	}
	o := openFile(openPath(t, program))
	o.find([]uint64{address})
	if frames := o.frames(address); len(frames) != 0 {
		t.Errorf("got %+v from the debug file of another program", frames)
	}
}

// Symbols that distributions keep by build ID are found in the target's root, and in no other.
func TestDebugFileByBuildID(t *testing.T) {
	need.Root(t) // to change a process's root
	for name, damage := range map[string]func(t *testing.T, debug string){
		"as it should be": nil,
		"of another build": func(t *testing.T, debug string) {
			run(t, "objcopy", "--only-keep-debug", compile(t, "-g", "-DOTHER", "-O1"), debug)
		},
		"not there": func(t *testing.T, debug string) { os.Remove(debug) },
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
			o := openFile(f)
			o.find([]uint64{address})
			frames := o.frames(address)
			found := len(frames) > 0 && frames[len(frames)-1].name == "hidden(int)" && frames[0].line > 0
			if found != (damage == nil) {
				t.Errorf("got %+v", frames)
			}
		})
	}
}

// processIn starts a process that has the directory as its root.
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
