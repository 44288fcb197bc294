//go:build linux

package symbol

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/ehframe"
)

func FuzzKallsyms(f *testing.F) {
	f.Add("ffff0000 T _text\nfffe0000 t mod_fn\t[mod]\nbroken\n", uint64(0xffff0010))
	f.Add("ffffffffffffffff t \n 0 T\n", uint64(1<<64-1))
	f.Fuzz(func(t *testing.T, text string, address uint64) {
		parseKallsyms(strings.NewReader(text), []uint64{address})
	})
}

func FuzzDemangle(f *testing.F) {
	f.Add("_ZN3foo3barEi")
	f.Add("_RNvC6_123foo3bar")
	f.Fuzz(func(t *testing.T, name string) {
		if got := demangled(name); len(got) > 1<<maxDemangled && got != name {
			t.Errorf("%d bytes of a symbol became %d", len(name), len(got))
		}
	})
}

// The debugging information of a C program with any byte changed gives an answer or none, and returns.
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
		defer func() { _ = recover() }() // as lookUp does: package debug/dwarf may panic
		if e, err := object.Open(bytes.NewReader(damaged)); err == nil {
			address := text.Addr + uint64(pc)%text.Size
			debugInfoFrames(e, []uint64{address})
			ehframe.Starts(e, []uint64{address})
			e.StubTargets([]uint64{address})
		}
	})
}
