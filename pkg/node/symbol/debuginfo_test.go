//go:build linux

package symbol

import (
	"bytes"
	"debug/dwarf"
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
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/debuginfo"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/ehframe"
	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
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

// At every address of the functions, the frames are those of binutils' addr2line, which reads a
// program with the same code and usual debugging information.
func TestDWARFAgreesWithAddr2line(t *testing.T) {
	need.Program(t, "dwz", "dwz")
	objcopy := func(arguments ...string) func(*testing.T, string) {
		return func(t *testing.T, program string) { run(t, "objcopy", append(arguments, program)...) }
	}
	for name, c := range map[string]struct {
		flags  []string
		change func(t *testing.T, program string) // after compiling; may be nil
	}{
		"DWARF 4":       {flags: []string{"-gdwarf-4"}},
		"DWARF 5":       {flags: []string{"-gdwarf-5"}},
		"fixed address": {flags: []string{"-no-pie"}},
		"64-bit DWARF":  {flags: []string{"-gdwarf64"}},
		"type units":    {flags: []string{"-fdebug-types-section"}},
		"split":         {flags: []string{"-gdwarf-5", "-gsplit-dwarf"}},
		"zlib":          {change: objcopy("--compress-debug-sections=zlib")},
		"zlib, GNU":     {change: objcopy("--compress-debug-sections=zlib-gnu")},
		"zstd":          {change: objcopy("--compress-debug-sections=zstd")},
		"dwz":           {change: shareDebugInfo},
	} {
		t.Run(name, func(t *testing.T) {
			program := compile(t, append([]string{"-g"}, c.flags...)...)
			reference := compile(t, "-g", "-gdwarf-5")
			if slices.Contains(c.flags, "-no-pie") {
				reference = program
			}
			if c.change != nil {
				c.change(t, program)
			}
			addresses := append(functionRange(t, program, "outermost"), functionRange(t, program, "hidden")...)
			slices.Sort(addresses)
			n := openFile(openPath(t, program), nil)
			n.find(addresses)
			inlined := 0
			wanted := addr2line(t, reference, addresses)
			for i, a := range addresses {
				var got []string
				for _, f := range n.frames(a) {
					got = append(got, fmt.Sprintf("%s %s:%d", new(demangler).demangled(f.name), filepath.Base(f.file), f.line))
				}
				want := wanted[i]
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

// shareDebugInfo moves debugging information that a program shares with its copy to a third file.
func shareDebugInfo(t *testing.T, program string) {
	t.Helper()
	run(t, "cp", program, program+"-copy")
	shared := filepath.Join(filepath.Dir(program), "shared.debug")
	run(t, "dwz", "-m", shared, "-r", program, program+"-copy")
	if _, err := os.Stat(shared); err != nil {
		t.Fatal(err)
	}
}

// Where a file with split or shared debugging information is missing, or belongs to another build,
// functions have their names, and no lines that are not theirs.
func TestMissingDebugInfo(t *testing.T) {
	need.Program(t, "dwz", "dwz")
	remove := func(t *testing.T, program, pattern string) {
		files, _ := filepath.Glob(filepath.Join(filepath.Dir(program), pattern))
		if len(files) != 1 {
			t.Fatalf("%q match %s, want one file", files, pattern)
		}
		if err := os.Remove(files[0]); err != nil {
			t.Fatal(err)
		}
	}
	for name, make := range map[string]func(t *testing.T) string{
		"split": func(t *testing.T) string {
			program := compile(t, "-g", "-gdwarf-5", "-gsplit-dwarf")
			remove(t, program, "*.dwo")
			return program
		},
		"split, DWARF 4": func(t *testing.T) string { return compile(t, "-g", "-gdwarf-4", "-gsplit-dwarf") },
		"split, another build": func(t *testing.T) string {
			program := compile(t, "-g", "-gdwarf-5", "-gsplit-dwarf")
			files, _ := filepath.Glob(filepath.Join(filepath.Dir(program), "*.dwo"))
			data, err := os.ReadFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			f, err := elf.Open(files[0])
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			data[f.Section(".debug_info.dwo").Offset+12]++ // the unit's ID
			if err := os.WriteFile(files[0], data, 0o644); err != nil {
				t.Fatal(err)
			}
			return program
		},
		"dwz": func(t *testing.T) string {
			program := compile(t, "-g")
			shareDebugInfo(t, program)
			remove(t, program, "shared.debug")
			return program
		},
	} {
		t.Run(name, func(t *testing.T) {
			program := make(t)
			addresses := functionRange(t, program, "outermost")
			n := openFile(openPath(t, program), nil)
			n.find(addresses)
			for _, a := range addresses {
				frames := n.frames(a)
				if len(frames) != 1 || !strings.Contains(frames[0].name, "outermost") {
					t.Fatalf("%#x: got %+v, want one frame of outermost", a, frames)
				}
				if line := frames[0].line; line != 0 && (line < 14 || line > 17) {
					t.Fatalf("%#x: line %d is not in outermost, which has lines 14 to 17", a, line)
				}
			}
			if len(n.errs) != 1 || !strings.Contains(n.errs[0].Error(), filepath.Dir(program)) {
				t.Errorf("errors %v, want one that names a file", n.errs)
			}
		})
	}
}

// A malformed unit leaves the functions of other units as they are, and the error names its file.
func TestMalformedUnit(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	var sources []string
	for name, text := range map[string]string{
		"first": `
			int second(int n);
			int first(int n) { return n + 1; }
			int main(int n, char **v) { return first(n) + second(n); }`,
		"second": `
			int second(int n) { return n + 2; }`,
	} {
		sources = append(sources, filepath.Join(dir, name+".c"))
		if err := os.WriteFile(sources[len(sources)-1], []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run(t, "cc", append(sources, "-gdwarf-5", "-gsplit-dwarf", "-o", program)...)
	for _, malformed := range []string{"first", "second"} {
		files, _ := filepath.Glob(filepath.Join(dir, "*"+malformed+".dwo"))
		if len(files) != 1 {
			t.Fatalf("%q are the split units of %s, want one file", files, malformed)
		}
		whole, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		f, err := elf.NewFile(bytes.NewReader(whole))
		if err != nil {
			t.Fatal(err)
		}
		cut := bytes.Clone(whole)
		section := f.Section(".debug_info.dwo")
		for i := section.Offset + section.Size/2; i < section.Offset+section.Size; i++ {
			cut[i] = 0x7f // no such abbreviation
		}
		if err := os.WriteFile(files[0], cut, 0o644); err != nil {
			t.Fatal(err)
		}
		addresses := []uint64{functionRange(t, program, "first")[0], functionRange(t, program, "second")[0]}
		slices.Sort(addresses)
		n := openFile(openPath(t, program), nil)
		n.find(addresses)
		for _, a := range addresses {
			frames := n.frames(a)
			if len(frames) != 1 || (frames[0].line == 0) != (frames[0].name == malformed) {
				t.Errorf("unit of %s malformed: got %+v", malformed, frames)
			}
		}
		if len(n.errs) != 1 || !strings.HasPrefix(n.errs[0].Error(), files[0]+": ") {
			t.Errorf("errors %v, want one of %s", n.errs, files[0])
		}
		if err := os.WriteFile(files[0], whole, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// A panic while one unit is read is an error.
func TestPanicInDebugInfo(t *testing.T) {
	program := compile(t, "-g", "-gdwarf-5", "-gsplit-dwarf")
	f, err := object.Open(openPath(t, program))
	if err != nil {
		t.Fatal(err)
	}
	open := func(string, func(*object.File) error) error { panic("index out of range") }
	_, err = debugInfoFrames(f, functionRange(t, program, "outermost"), nil, open)
	if err == nil || !strings.HasPrefix(err.Error(), program+": ") || !strings.HasSuffix(err.Error(), "malformed: index out of range") {
		t.Errorf("got %v", err)
	}
}

// An object with too much debugging information has the names of symbols, and an error names it.
func TestTooMuchDebugInfo(t *testing.T) {
	program := compile(t)
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, 41<<20); err != nil {
		t.Fatal(err)
	}
	run(t, "objcopy", "--add-section", ".debug_info="+large, program)
	a := functionRange(t, program, "outermost")[0]
	n := openFile(openPath(t, program), nil)
	n.find([]uint64{a})
	if frames := n.frames(a); len(frames) != 1 || !strings.Contains(frames[0].name, "outermost") {
		t.Errorf("got %+v", frames)
	}
	if len(n.errs) != 1 || !strings.HasPrefix(n.errs[0].Error(), program+": ") || !strings.Contains(n.errs[0].Error(), "40 MiB") {
		t.Errorf("errors %v", n.errs)
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
		n := openFile(openPath(t, program), nil)
		n.find([]uint64{a})
		if frames := n.frames(a); len(frames) != 1 || !slices.Contains([]string{"main", "first", "second"}, frames[0].name) || filepath.Base(frames[0].file) != "alias.s" || frames[0].line < 10 {
			t.Errorf("%#x: %+v", a, frames)
		}
	}
}

// addr2line returns the frames at each of the addresses.
func addr2line(t *testing.T, program string, addresses []uint64) (all [][]string) {
	t.Helper()
	arguments := []string{"-aifC", "-e", program}
	for _, a := range addresses {
		arguments = append(arguments, strconv.FormatUint(a, 16))
	}
	lines := strings.Split(strings.TrimSpace(run(t, "addr2line", arguments...)), "\n")
	for i := 0; i < len(lines); i++ {
		if strings.HasPrefix(lines[i], "0x") { // -a
			all = append(all, nil)
			continue
		}
		place, _, _ := strings.Cut(lines[i+1], " (discriminator")
		all[len(all)-1] = append(all[len(all)-1], lines[i]+" "+filepath.Base(place))
		i++
	}
	return all
}

// The search ends at the deadline, also where it skips entries without reading the file.
func TestDWARFSearchHasADeadline(t *testing.T) {
	program := compile(t, "-g")
	addresses := functionRange(t, program, "outermost")
	f, err := object.Open(openPath(t, program))
	if err != nil {
		t.Fatal(err)
	}
	if found, err := debugInfoFrames(f, addresses, newDeadline(0, 0), nil); err != errTimeUp || len(found) > 0 {
		t.Errorf("%d addresses were found after the deadline, and the error is %v", len(found), err)
	}
	info, err := debuginfo.Open(f)
	if err != nil {
		t.Fatal(err)
	}
	skip := func(d *deadline) error {
		r := info.Reader()
		unit, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		return (&dwarfSearch{file: f, info: info, searched: &searched{deadline: d}}).skipChildren(r, unit)
	}
	if err := skip(&deadline{passed: true}); err != errTimeUp {
		t.Errorf("entries were skipped after the deadline: %v", err)
	}
	if err := skip(nil); err != nil {
		t.Errorf("skipping entries: %v", err)
	}
}

// Code with too many inlined calls keeps those that were found before.
func TestInlinedCallsAreLimited(t *testing.T) {
	program := compile(t, "-g")
	addresses := functionRange(t, program, "outermost")
	f, err := object.Open(openPath(t, program))
	if err != nil {
		t.Fatal(err)
	}
	info, err := debuginfo.Open(f)
	if err != nil {
		t.Fatal(err)
	}
	s := &dwarfSearch{file: f, info: info, names: map[dwarf.Offset]frame{}, searched: &searched{found: map[uint64][]frame{}, calls: maxCalls - 10}}
	r := info.Reader()
	unit, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.searchUnit(unit, addresses); err != errTooLong || s.calls != maxCalls+1 {
		t.Errorf("%d calls, error %v, want %v", s.calls, err, errTooLong)
	}
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
		fuzzbudget.Enforce(t)
		damaged := bytes.Clone(data)
		damaged[uint64(at)%uint64(len(data))] ^= change
		damaged[uint64(at2)%uint64(len(data))] ^= change2
		if e, err := object.Open(bytes.NewReader(damaged)); err == nil {
			address := text.Addr + uint64(pc)%text.Size
			debugInfoFrames(e, []uint64{address}, nil, (&namer{open: openNone}).openBeside(""))
			ehframe.Starts(e, []uint64{address})
			e.StubTargets([]uint64{address})
		}
	})
}
