package gopclntab

import (
	"debug/elf"
	"encoding/binary"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
)

// Everywhere in this program's code, the innermost function, its file and its line are those of
// runtime.CallersFrames.
func TestEveryAddressAgreesWithRuntime(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	table, e := openFile(t, self)
	if e.Type != elf.ET_EXEC {
		t.Fatal("the test must be built without -buildmode=pie: it compares addresses of the file with those of the process")
	}
	last, err := table.last()
	if err != nil {
		t.Fatal(err)
	}
	step := uint64(61) // a prime, so that all offsets within instructions occur
	if testing.Short() {
		step = 997
	}
	compared, inlined := 0, 0
	for pc := table.text; pc < last; pc += step {
		f := runtime.FuncForPC(uintptr(pc))
		if f == nil {
			continue
		}
		frames, err := table.Lookup(pc)
		if err == io.EOF {
			continue
		}
		if err != nil {
			t.Fatalf("%#x in %s: %v", pc, f.Name(), err)
		}
		want, _ := runtime.CallersFrames([]uintptr{uintptr(pc) + 1}).Next()
		if want.Function == "" {
			continue // the runtime has no name for the function whose name is the first in the table
		}
		if uint64(want.Entry) > pc {
			continue // pc is the last byte of a function, and the runtime looks up the byte after it
		}
		if want.File == "?" {
			want.File = "" // assembly without a position
		}
		got := frames[0]
		if printed(got.Name) != want.Function || got.File != want.File || got.Line != max(0, want.Line) {
			t.Fatalf("%#x: got %s %s:%d, want %s %s:%d", pc, printed(got.Name), got.File, got.Line, want.Function, want.File, want.Line)
		}
		compared++
		if len(frames) > 1 {
			inlined++
		}
	}
	if compared < 1000 || inlined < 100 {
		t.Errorf("only %d places were compared, %d of them inlined", compared, inlined)
	}
}

// printed shortens a generic function's type arguments as runtime.Frame.Function has them
// (runtime/symtab.go, funcNameForPrint).
func printed(name string) string {
	start, end := strings.IndexByte(name, '['), strings.LastIndexByte(name, ']')
	if start < 0 || end < start {
		return name
	}
	return name[:start] + "[...]" + name[end+1:]
}

// last returns the end of the last function.
func (t *Table) last() (uint64, error) {
	var raw [4]byte
	err := t.image.read(raw[:], t.funcs+8*uint64(t.functions))
	return t.text + uint64(binary.LittleEndian.Uint32(raw[:])), err
}
