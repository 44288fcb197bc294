//go:build linux

package symbol

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/ehframe"
)

// cxxSource has nested inlined calls, and a function that is only in .symtab.
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

// compile builds cxxSource and returns the program's path.
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

// functionRange returns all addresses of the first function whose mangled name contains name.
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

// At every address of the functions, the frames are those of binutils' addr2line.
func TestDWARFAgreesWithAddr2line(t *testing.T) {
	for _, flags := range [][]string{{"-g", "-gdwarf-4"}, {"-g", "-gdwarf-5"}, {"-g", "-gz=zlib"}, {"-g", "-no-pie"}} {
		t.Run(strings.Join(flags, " "), func(t *testing.T) {
			program := compile(t, flags...)
			addresses := append(functionRange(t, program, "outermost"), functionRange(t, program, "hidden")...)
			slices.Sort(addresses)
			n := openFile(openPath(t, program))
			n.find(addresses)
			inlined := 0
			for _, a := range addresses {
				var got []string
				for _, f := range n.frames(a) {
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

// A function with several names, as assemblers and linkers that fold code describe it, is one frame.
func TestFunctionWithSeveralNames(t *testing.T) {
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
		n := openFile(openPath(t, program))
		n.find([]uint64{a})
		if frames := n.frames(a); len(frames) != 1 || !slices.Contains([]string{"main", "first", "second"}, frames[0].name) || filepath.Base(frames[0].file) != "alias.s" || frames[0].line < 10 {
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

// The readers return for a C program with any two bytes changed.
func FuzzDWARF(f *testing.F) {
	dir := f.TempDir()
	source, program := filepath.Join(dir, "p.c"), filepath.Join(dir, "p")
	if err := os.WriteFile(source, []byte("static int g(int n) { return n * 3; }\nint main(int n, char **v) { return g(n) + (v != 0); }\n"), 0o644); err != nil {
		f.Fatal(err)
	}
	if out, err := exec.Command("cc", "-g", "-O1", "-nostartfiles", "-nostdlib", "-static", "-Wl,-e,main", "-o", program, source).CombinedOutput(); err != nil {
		f.Fatalf("%v\n%s", err, out)
	}
	data, err := os.ReadFile(program)
	if err != nil {
		f.Fatal(err)
	}
	e, err := elf.Open(program)
	if err != nil {
		f.Fatal(err)
	}
	text := e.Section(".text")
	e.Close()
	f.Add(uint32(0), byte(0), uint32(0), byte(0), byte(0))
	f.Add(uint32(len(data)/2), byte(0xff), uint32(len(data)/3), byte(0x80), byte(2))
	f.Fuzz(func(t *testing.T, at uint32, change byte, at2 uint32, change2, pc byte) {
		damaged := bytes.Clone(data)
		damaged[uint64(at)%uint64(len(data))] ^= change
		damaged[uint64(at2)%uint64(len(data))] ^= change2
		defer func() { _ = recover() }() // as findFrames does, because debug/dwarf may panic
		if e, err := object.Open(bytes.NewReader(damaged)); err == nil {
			address := text.Addr + uint64(pc)%text.Size
			debugInfoFrames(e, []uint64{address})
			ehframe.Starts(e, []uint64{address})
			e.StubTargets([]uint64{address})
		}
	})
}
