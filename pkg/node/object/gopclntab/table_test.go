package gopclntab

import (
	"bytes"
	"debug/elf"
	"debug/gosym"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

const source = `package main

import "os"

func main() { outer(os.Args) }

//go:noinline
func outer(args []string) { middle(args) }

func middle(args []string) { inner(args) }

func inner(args []string) { sink(len(args)) }

//go:noinline
func sink(n int) { println(n, len(generic(os.Args))) }

//go:noinline
func generic[T any](s []T) []T { return s }
`

// build compiles the source with the given toolchain and flags.
func build(t testing.TB, toolchain string, flags ...string) string {
	t.Helper()
	return buildSource(t, source, toolchain, flags...)
}

func buildSource(t testing.TB, text, toolchain string, flags ...string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"main.go": text, "go.mod": "module example.com/prog\n\ngo 1.18\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(dir, "prog")
	cmd := exec.Command("go", append(append([]string{"build", "-o", out}, flags...), ".")...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOTOOLCHAIN="+toolchain)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, text)
	}
	return out
}

func openFile(t testing.TB, path string) (*Table, *object.File) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	e, err := object.Open(f)
	if err != nil {
		t.Fatal(err)
	}
	table, err := Open(e)
	if err != nil {
		t.Fatal(err)
	}
	return table, e
}

// Functions have the entries, names, files and lines that debug/gosym finds, also in a stripped
// program.
func TestAgreesWithDebugGosym(t *testing.T) {
	plain := build(t, "local")
	reference := gosymTable(t, plain)
	stripped, _ := openFile(t, build(t, "local", "-ldflags=-s -w"))
	table, _ := openFile(t, plain)
	lines := 0
	for _, f := range reference.Funcs {
		if f.Name == "go:textfipsstart" || f.Entry == f.End {
			continue
		}
		for _, pc := range []uint64{f.Entry, f.End - 1} {
			entry, name, err := table.Entry(pc)
			if err != nil || name != f.Name || entry != f.Entry {
				t.Fatalf("%#x: got %s at %#x (%v), want %s at %#x", pc, name, entry, err, f.Name, f.Entry)
			}
		}
		frames, err := table.Lookup(f.Entry)
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		file, line, _ := reference.PCToLine(f.Entry)
		if frames[0].File == file && frames[0].Line == line {
			lines++
		} else if frames[0].File != "" {
			t.Errorf("%s: got %s:%d, want %s:%d", f.Name, frames[0].File, frames[0].Line, file, line)
		}
		if _, name, err := stripped.Entry(f.Entry); err != nil || name == "" {
			t.Fatalf("stripped: %#x: %q, %v", f.Entry, name, err)
		}
	}
	if lines < 500 {
		t.Errorf("only %d functions with a line", lines)
	}
}

func gosymTable(t *testing.T, path string) *gosym.Table {
	t.Helper()
	e, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	data, err := e.Section(".gopclntab").Data()
	if err != nil {
		t.Fatal(err)
	}
	var text uint64
	symbols, err := e.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		if s.Name == "runtime.text" {
			text = s.Value
		}
	}
	table, err := gosym.NewTable(nil, gosym.NewLineTable(data, text))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// Inlined calls are found in programs of all versions, stripped and position-independent ones included.
func TestInlinedCalls(t *testing.T) {
	toolchains := []string{"local", "go1.18.10", "go1.20.14", "go1.22.12", "go1.24.13", "go1.27.3"}
	if testing.Short() {
		toolchains = toolchains[:1]
	}
	for _, toolchain := range toolchains {
		for name, flags := range map[string][]string{
			"plain": nil, "stripped": {"-ldflags=-s -w"}, "stripped PIE": {"-buildmode=pie", "-ldflags=-s -w"},
		} {
			t.Run(toolchain+" "+name, func(t *testing.T) {
				path := build(t, toolchain, flags...)
				table, _ := openFile(t, path)
				outer := findFunction(t, table, "main.outer")
				if got := inlinedNames(table, outer); !strings.Contains(got, "main.inner<main.middle<main.outer") {
					t.Errorf("no place of main.outer has inner and middle inlined: %s", got)
				}
			})
		}
	}
}

// findFunction returns the entry of the function with the given name.
func findFunction(t *testing.T, table *Table, name string) (entry uint64) {
	t.Helper()
	for i := range table.functions {
		var pair [4]byte
		if err := table.image.read(pair[:], table.funcs+8*uint64(i)); err != nil {
			t.Fatal(err)
		}
		pc := table.text + uint64(binary.LittleEndian.Uint32(pair[:]))
		if _, got, _ := table.Entry(pc); got == name {
			return pc
		}
	}
	t.Fatalf("no function %s among %d", name, table.functions)
	return 0
}

func inlinedNames(table *Table, entry uint64) string {
	f, err := table.find(entry)
	if err != nil {
		return err.Error()
	}
	longest := ""
	for pc := f.entry; pc < f.end; pc++ {
		frames, err := table.Lookup(pc)
		if err != nil {
			return err.Error()
		}
		var names []string
		for _, frame := range frames {
			names = append(names, frame.Name)
		}
		if s := strings.Join(names, "<"); len(s) > len(longest) {
			longest = s
		}
	}
	return longest
}

// Lookup in the file of this program agrees with what its runtime says about the program's own stack.
func TestAgreesWithRuntime(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	table, _ := openFile(t, self)
	// A position-independent test binary runs at other addresses than its file has.
	this := runtime.FuncForPC(reflect.ValueOf(TestAgreesWithRuntime).Pointer())
	bias := uint64(this.Entry()) - findFunction(t, table, this.Name())
	pcs := make([]uintptr, 64)
	n := runtime.Callers(0, pcs)
	for _, pc := range pcs[:n] {
		var want []string
		for it := runtime.CallersFrames([]uintptr{pc}); ; {
			frame, more := it.Next()
			want = append(want, frame.Function)
			if !more {
				break
			}
		}
		frames, err := table.Lookup(uint64(pc) - 1 - bias)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range frames {
			got = append(got, f.Name)
		}
		// runtime.Callers returns a PC for each inlined call. The first frame is the same.
		if len(want) == 0 || got[0] != want[0] {
			t.Errorf("%#x: got %v, want %v", pc, got, want)
		}
	}
}

func TestNotGo(t *testing.T) {
	f, err := os.Open("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	e, err := object.Open(f)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(e); !errors.Is(err, errNotGo) {
		t.Errorf("want errNotGo, got %v", err)
	}
}

// Lookup returns for a table with any byte changed.
func FuzzLookup(f *testing.F) {
	self := build(f, "local", "-ldflags=-s -w")
	data, err := os.ReadFile(self)
	if err != nil {
		f.Fatal(err)
	}
	table, _ := openFile(f, self)
	f.Add(uint32(0), byte(1), uint32(100))
	f.Add(uint32(8), byte(0xff), uint32(5000))
	f.Fuzz(func(t *testing.T, at uint32, change byte, pc uint32) {
		fuzzbudget.Enforce(t)
		patched := &patch{data, int64(uint64(at) % uint64(len(data))), change}
		e, err := object.Open(patched)
		if err != nil {
			return
		}
		damaged, err := Open(e)
		if err != nil {
			return
		}
		damaged.Lookup(table.text + uint64(pc)%(1<<20))
	})
}

// patch is a file with one byte changed.
type patch struct {
	data   []byte
	at     int64
	change byte
}

func (p *patch) ReadAt(b []byte, off int64) (int, error) {
	n, err := bytes.NewReader(p.data).ReadAt(b, off)
	if p.at >= off && p.at < off+int64(n) {
		b[p.at-off] ^= p.change
	}
	if err == io.EOF && n > 0 {
		err = nil
	}
	return n, err
}

func BenchmarkOpenAndFirstLookup(b *testing.B) {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		table, _ := openFile(b, self)
		if _, _, err := table.Entry(table.text + 1000); err != nil {
			b.Fatal(err)
		}
	}
}
