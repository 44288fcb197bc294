package symbol

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"maps"
	"strings"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
)

// symbol is a row of a table made for a test.
type symbol struct {
	name        string
	start, size uint64
	bind        elf.SymBind
}

// symbolTable is an object with code from 0x1000 to 0x2000 and the given symbols.
func symbolTable(symbols ...symbol) *object.File {
	var table []byte
	names := []byte{0}
	for _, s := range symbols {
		table = binary.LittleEndian.AppendUint32(table, uint32(len(names)))
		table = append(table, byte(s.bind)<<4|byte(elf.STT_FUNC), 0)
		table = binary.LittleEndian.AppendUint16(table, 1)
		table = binary.LittleEndian.AppendUint64(table, s.start)
		table = binary.LittleEndian.AppendUint64(table, s.size)
		names = append(append(names, s.name...), 0)
	}
	section := func(kind elf.SectionType, content []byte, link uint32) *elf.Section {
		return &elf.Section{
			SectionHeader: elf.SectionHeader{Type: kind, Link: link, Size: uint64(len(content)), FileSize: uint64(len(content))},
			ReaderAt:      bytes.NewReader(content),
		}
	}
	code := &elf.Section{SectionHeader: elf.SectionHeader{Type: elf.SHT_PROGBITS, Flags: elf.SHF_ALLOC | elf.SHF_EXECINSTR, Addr: 0x1000, Size: 0x1000}}
	return &object.File{
		Machine: elf.EM_X86_64, Sections: []*elf.Section{{}, code, section(elf.SHT_STRTAB, names, 0), section(elf.SHT_SYMTAB, table, 2)},
	}
}

func TestNearestSymbols(t *testing.T) {
	const g, l = elf.STB_GLOBAL, elf.STB_LOCAL
	tests := []struct {
		name    string
		symbols []symbol
		want    map[uint64]string // of 0x1010, 0x1020 and 0x1030
	}{
		{"by size", []symbol{{"a", 0x1000, 0x18, g}, {"b", 0x1018, 0x10, g}}, map[uint64]string{0x1010: "a", 0x1020: "b"}},
		{"around another", []symbol{{"inner", 0x1018, 0x10, g}, {"outer", 0x1000, 0x100, g}}, map[uint64]string{0x1010: "outer", 0x1020: "inner", 0x1030: "outer"}},
		{"without size up to the next", []symbol{{"a", 0x1000, 0, g}, {"b", 0x1028, 4, g}}, map[uint64]string{0x1010: "a", 0x1020: "a"}},
		{"global before local", []symbol{{"a", 0x1000, 0x18, l}, {"b", 0x1000, 0x18, g}}, map[uint64]string{0x1010: "b"}},
		{"fewer underscores", []symbol{{"__libc_write", 0x1000, 0x18, g}, {"write", 0x1000, 0x18, elf.STB_WEAK}}, map[uint64]string{0x1010: "write"}},
		{"not beyond the code", []symbol{{"a", 0x800, 1 << 40, g}, {"b", 0x2000, 8, g}}, map[uint64]string{}},
		{"a size that wraps around", []symbol{{"a", 0x1008, 1<<64 - 1, g}}, map[uint64]string{0x1010: "a", 0x1020: "a", 0x1030: "a"}},
		{"too long a name", []symbol{{strings.Repeat("a", object.MaxName+1), 0x1000, 0x100, g}}, map[uint64]string{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := nearestSymbols([]*object.File{symbolTable(test.symbols...)}, []uint64{0x1010, 0x1020, 0x1030})
			if !maps.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// BenchmarkNearestSymbolsThatCoverEverything shows that the time does not depend on the sizes that
// symbols claim.
func BenchmarkNearestSymbolsThatCoverEverything(b *testing.B) {
	var symbols []symbol
	for i := range uint64(200_000) {
		symbols = append(symbols, symbol{"a", 0x1000 + i%0xfff, 1 << 40, elf.STB_GLOBAL})
	}
	f := symbolTable(symbols...)
	var addresses []uint64
	for i := range uint64(2000) {
		addresses = append(addresses, 0x1000+2*i)
	}
	for b.Loop() {
		nearestSymbols([]*object.File{f}, addresses)
	}
}
