package symbol

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"testing"
)

// symbolTable is a table of functions that begin at the given addresses and have the given size.
func symbolTable(size uint64, starts ...uint64) *elf.Section {
	var table []byte
	for _, start := range starts {
		table = binary.LittleEndian.AppendUint32(table, 1)
		table = append(table, byte(elf.STB_GLOBAL)<<4|byte(elf.STT_FUNC), 0)
		table = binary.LittleEndian.AppendUint16(table, 1)
		table = binary.LittleEndian.AppendUint64(table, start)
		table = binary.LittleEndian.AppendUint64(table, size)
	}
	return &elf.Section{
		SectionHeader: elf.SectionHeader{Type: elf.SHT_SYMTAB, Size: uint64(len(table)), FileSize: uint64(len(table))},
		ReaderAt:      bytes.NewReader(table),
	}
}

// Symbols that all cover all addresses, with and without a size, end the scan by the work they make.
func TestScanSymbolsIsBounded(t *testing.T) {
	f := &elf.File{FileHeader: elf.FileHeader{ByteOrder: binary.LittleEndian}}
	addresses := []uint64{0x1010, 0x1020, 0x1030}
	for name, size := range map[string]uint64{"sized": 1 << 40, "without a size": 0} {
		t.Run(name, func(t *testing.T) {
			table := symbolTable(size, 0x1000, 0x1000, 0x1000, 0x1008)
			enough, little := 1000, 8 // two symbols with their three addresses each
			if got := scanSymbols(f, table, addresses, &enough)[0x1030].value; got != 0x1008 {
				t.Errorf("with enough work: got %#x, want the last symbol, which is nearest", got)
			}
			if got := scanSymbols(f, table, addresses, &little)[0x1030].value; got != 0x1000 || little > 0 {
				t.Errorf("got %#x with %d left, want the scan to end before the last symbol", got, little)
			}
		})
	}
}
