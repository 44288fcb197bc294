//go:build linux

package kallsyms

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// functions returns addresses in every hundredth function of this machine's kernel and modules. BPF programs are left out,
// because those of others may be unloaded at any time, and so is other code that the kernel makes.
func functions(tb testing.TB) (addresses []uint64) {
	need.Root(tb) // other users see no addresses
	list, err := os.Open("/proc/kallsyms")
	if err != nil {
		tb.Fatal(err)
	}
	defer list.Close()
	n := 0
	for lines := bufio.NewScanner(list); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if fields[1] != "t" && fields[1] != "T" || len(fields) > 3 && (fields[3] == "[bpf]" || strings.HasPrefix(fields[3], "[__builtin_")) {
			continue
		}
		address, err := strconv.ParseUint(fields[0], 16, 64)
		if err != nil {
			tb.Fatal(err)
		}
		if n++; n%100 == 0 {
			addresses = append(addresses, address)
		}
	}
	return addresses
}

// The BPF program finds what the list of symbols says.
func TestFind(t *testing.T) {
	addresses := functions(t)
	want, err := readList(addresses)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ask(append(addresses, 16)) // no function is there
	if err != nil {
		t.Fatal(err)
	}
	if len(got) < 100 || len(got) != len(want) {
		t.Errorf("%d of %d functions were found, %d in the list", len(got), len(addresses), len(want))
	}
	for address, symbol := range want {
		if got[address] != symbol {
			t.Errorf("%#x is %v, want %v", address, got[address], symbol)
		}
	}
}

// A BPF program has the same name and module in both.
func TestFindBPFProgram(t *testing.T) {
	need.Root(t)
	if _, err := ask(nil); err != nil { // loads the program that names functions, which is then the one to find
		t.Fatal(err)
	}
	info, err := program.NameSymbols.Info()
	if err != nil {
		t.Fatal(err)
	}
	starts, ok := info.JitedKsymAddrs()
	if !ok {
		t.Fatal("the kernel does not tell where the program is")
	}
	address := uint64(starts[0]) + 1
	got, err := ask([]uint64{address})
	if err != nil {
		t.Fatal(err)
	}
	want, err := readList([]uint64{address})
	if err != nil {
		t.Fatal(err)
	}
	if got[address] != want[address] || want[address].Module != "bpf" {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestFindFallsBackToTheList(t *testing.T) {
	addresses := functions(t)
	_, _ = ask(nil) // loads the program, if that is possible
	defer func(err error) { program.err = err }(program.err)
	program.err = os.ErrPermission
	want, _ := readList(addresses)
	got, err := Find([]uint64{addresses[1], addresses[0], addresses[1]})
	if err != nil || len(got) != 2 || got[addresses[0]] != want[addresses[0]] || got[addresses[1]] != want[addresses[1]] {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestParseSymbol(t *testing.T) {
	for text, want := range map[string]Symbol{
		"schedule\x00x":                   {"schedule", ""},
		"ext4_map [ext4]\x00":             {"ext4_map", "ext4"},
		"ext4_map [ext4 0a1b2c]":          {"ext4_map", "ext4"},
		"bpf_prog_0123456789abcdef_x\x00": {"bpf_prog_0123456789abcdef_x", "bpf"},
		"bpf_prog_0123456789abcdef":       {"bpf_prog_0123456789abcdef", "bpf"},
		"bpf_trampoline_6442\x00":         {"bpf_trampoline_6442", "bpf"},
		"bpf_prog_alloc":                  {"bpf_prog_alloc", ""},
		"bpf_trampoline_enter":            {"bpf_trampoline_enter", ""},
		"0xffffffff81000000\x00":          {},
		"":                                {},
	} {
		if got, ok := parseSymbol([]byte(text)); got != want || ok != (want.Name != "") {
			t.Errorf("%q: got %v, %v", text, got, ok)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	addresses := functions(b)
	addresses = addresses[:min(len(addresses), 200)]
	for name, find := range map[string]func([]uint64) (map[uint64]Symbol, error){"BPF program": ask, "list": readList} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := find(addresses); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
