//go:build linux

package symbol

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestGccgoNames(t *testing.T) {
	for name, want := range map[string]string{ // those of libgo 12, and of C functions in it
		"main.shape.area":           "main.shape.area",
		"main.main..func1":          "main.main..func1",
		"compress_1flate.NewReader": "compress/flate.NewReader",
		"github_0com_1x_1y.f":       "github.com/x/y.f",
		"main.my__name":             "main.my_name",
		"main._68_7uint64..eq":      "main.[8]uint64..eq",
		"main.struct_4runtime_0gList_cruntime_0n_bint32_5..eq": "main.struct{runtime.gList;runtime.n int32}..eq",
		"main._u00e4":        "main._u00e4",
		"main.f_":            "main.f_",
		"__atomic_store_2":   "__atomic_store_2",
		"backtrace_1.part.0": "backtrace_1.part.0",
		"x_1.cold":           "x_1.cold",
	} {
		if got := gccgoName(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

// Symbols are decoded in objects of gccgo, and stay as they are in others.
func TestSymbolsOfGccgo(t *testing.T) {
	const code = ".globl net_1http.Get\n.type net_1http.Get, @function\nnet_1http.Get: .byte 0, 0, 0, 0\n.size net_1http.Get, 4\n"
	for section, want := range map[string]string{".go_export": "net/http.Get", ".other": "net_1http.Get"} {
		dir := t.TempDir()
		source, library := filepath.Join(dir, "code.s"), filepath.Join(dir, "code.so")
		if err := os.WriteFile(source, []byte(code+".section "+section+"\n.byte 0\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		run(t, "gcc", "-shared", "-nostdlib", "-o", library, source)
		addresses := functionRange(t, library, "net_1http.Get")
		f, err := os.Open(library)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		n := newNamer(f, newDeadline(time.Minute, time.Minute))
		n.find(addresses)
		if got := n.frames(addresses[0]); len(got) != 1 || got[0].name != want {
			t.Errorf("with %s: %v, want %s", section, got, want)
		}
	}
}
