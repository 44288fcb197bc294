package ehframe

import (
	"bytes"
	"debug/elf"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
)

// Functions of libc begin at the addresses of its symbols.
func TestFunctionStartsAgreeWithSymbols(t *testing.T) {
	file, err := os.Open(libc(t))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	f, err := object.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	want := map[uint64]uint64{}
	var addresses []uint64
	for s := range f.Symbols(elf.SHT_DYNSYM) {
		if s.Type == elf.STT_FUNC && s.Size > 16 {
			for _, a := range []uint64{s.Value, s.Value + s.Size/2, s.Value + s.Size - 1} {
				want[a] = s.Value
				addresses = append(addresses, a)
			}
		}
	}
	slices.Sort(addresses)
	got, wrong := Starts(f, addresses), 0
	for a, start := range want {
		if got[a] != start {
			wrong++
		}
	}
	// Some functions of libc that are written in assembly have several entries, or names for parts
	// of them.
	if len(want) < 3000 || wrong > len(want)/500 {
		t.Errorf("%d of %d addresses differ", wrong, len(want))
	}
	f.Segments = slices.DeleteFunc(f.Segments, func(p *elf.Prog) bool { return p.Type == elf.PT_GNU_EH_FRAME })
	if !maps.Equal(Starts(f, addresses), got) {
		t.Error("without the search table functions begin elsewhere")
	}
}

func libc(t testing.TB) string {
	t.Helper()
	for _, path := range []string{"/lib/x86_64-linux-gnu/libc.so.6", "/lib/aarch64-linux-gnu/libc.so.6", "/lib64/libc.so.6"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Fatal("no libc.so.6 on this machine")
	return ""
}

func TestHostileSearchTables(t *testing.T) {
	const base = 0x1000
	header := func(count uint32, rows ...uint32) []byte {
		b := []byte{1, 0x1b, 3, 0x3b, 0, 0, 0, 0}
		for _, word := range append([]uint32{count}, rows...) {
			b = append(b, byte(word), byte(word>>8), byte(word>>16), byte(word>>24))
		}
		return b
	}
	// A CIE of the form zR with signed 4 bytes relative to their place, at 0x1100, and an FDE of
	// 0x20 bytes of code.
	cie := append([]byte{20, 0, 0, 0, 0, 0, 0, 0, 1}, "zR\x00\x01\x78\x10\x01\x1b"...)
	cie = append(cie, make([]byte, 24-len(cie))...)
	fde := []byte{16, 0, 0, 0, 28, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0}
	tests := []struct {
		name   string
		header []byte
		fde    []byte
		want   bool
	}{
		{"well-formed", header(1, 0x800, 0x118), fde, true},
		{"address beyond the function", header(1, 0x7e0, 0x118), fde, false},
		{"more rows than the segment has", header(1000, 0x800, 0x118), fde, false},
		{"more rows than the limit", header(1<<32-1, 0x800, 0x118), fde, false},
		{"no row", header(0), fde, false},
		{"entry outside of the file", header(1, 0x800, 0x7fffffff), fde, false},
		{"CIE outside of the file", header(1, 0x800, 0x118), append([]byte{16, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f}, fde[8:]...), false},
		{"FDE that is its own CIE", header(1, 0x800, 0x118), append([]byte{16, 0, 0, 0, 4, 0, 0, 0}, fde[8:]...), false},
		{"another version", append([]byte{2}, header(1, 0x800, 0x118)[1:]...), fde, false},
		{"nothing", nil, fde, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			file := make([]byte, 0x200)
			copy(file, test.header)
			copy(file[0x100:], cie)
			copy(file[0x118:], test.fde)
			at := func(kind elf.ProgType, size int) *elf.Prog {
				return &elf.Prog{
					ProgHeader: elf.ProgHeader{Type: kind, Vaddr: base, Filesz: uint64(size), Memsz: uint64(size)},
					ReaderAt:   bytes.NewReader(file[:size]),
				}
			}
			f := &object.File{
				Machine: elf.EM_X86_64, Segments: []*elf.Prog{at(elf.PT_LOAD, len(file)), at(elf.PT_GNU_EH_FRAME, len(test.header))},
			}
			got := Starts(f, []uint64{base + 0x810})
			if start, ok := got[base+0x810]; ok != test.want || ok && start != base+0x800 {
				t.Errorf("got %#x, want one: %v", got, test.want)
			}
		})
	}
}
