package debuginfo

import (
	"bytes"
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
)

// unitHeader returns the header of a unit of DWARF 4 that n bytes follow, with the offset of its
// abbreviations.
func unitHeader(n, abbrev int) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(7+n))
	b = binary.LittleEndian.AppendUint16(b, 4)
	return append(binary.LittleEndian.AppendUint32(b, uint32(abbrev)), 8)
}

// Debugging information that would need too much memory or time is refused before it is used.
func TestHostileDWARF(t *testing.T) {
	const plain = "\x01\x11\x00\x03\x0e\x00\x00\x00" // one entry: a compile unit with a name in .debug_str
	manyUnits := bytes.Repeat(append(unitHeader(1, 0), 0), maxUnits+1)
	var tables []byte // each table of abbreviations extends to the end of the section
	for range maxAbbrevBytes / 1000 {
		tables = append(tables, unitHeader(0, 7*len(tables)/11)...)
	}
	tests := map[string]map[string][]byte{ // sections by their names
		"too many units":                    {"info": manyUnits, "abbrev": []byte(plain)},
		"tables within tables":              {"info": tables, "abbrev": bytes.Repeat([]byte("\x01\x11\x00\x03\x0e\x00\x00"), 2000)},
		"an entry with too many attributes": {"info": unitHeader(0, 0), "abbrev": append([]byte("\x01\x11\x00"), bytes.Repeat([]byte("\x03\x0e"), 1000)...)},
		"a string without end":              {"info": unitHeader(0, 0), "abbrev": []byte(plain), "str": bytes.Repeat([]byte("x"), maxString+1)},
		"a unit beyond the end":             {"info": unitHeader(1000, 0), "abbrev": []byte(plain)},
		"half a header":                     {"info": {1, 2}, "abbrev": []byte(plain)},
	}
	for name, sections := range tests {
		t.Run(name, func(t *testing.T) {
			if checkUnits(sections["info"], sections["abbrev"]) == nil && checkStrings(sections["str"]) == nil {
				t.Error("it was accepted")
			}
		})
	}
}

// lineHeader returns the header of a line program of DWARF 5 with the given lists and total length.
func lineHeader(lists string, length uint32) []byte {
	b := binary.LittleEndian.AppendUint32(nil, length)
	return append(b, "\x05\x00\x08\x00\x00\x00\x00\x00\x01\x01\x01\xfb\x0e\x01"+lists...)
}

func TestHostileLinePrograms(t *testing.T) {
	const huge = "\xff\xff\xff\xff\xff\xff\x03"
	long := strings.Repeat("d", 60_000)
	tests := []struct {
		name string
		line []byte
		ok   bool
	}{
		{"well-formed", lineHeader("\x01\x01\x08\x01d\x00\x01\x01\x08\x01f\x00", 26), true},
		{"too many directories of no bytes", lineHeader("\x00"+huge, 22), false},
		{"too many directories", lineHeader("\x01\x01\x08"+huge, 24), false},
		{"too many files", lineHeader("\x00\x00\x01\x01\x08"+huge, 26), false},
		{"unknown form", lineHeader("\x01\x01\x77\x01d\x00\x00\x00", 22), false},
		{"beyond the end", lineHeader("", 1000), false},
		{"a long directory in a long program", append(lineHeader("\x01\x01\x08\x01"+long+"\x00\x00\x00", 1<<20), make([]byte, 1<<20)...), false},
		{"too long a program", append(lineHeader("\x00\x00\x00\x00", maxLineBytes+1), make([]byte, maxLineBytes)...), false},
		{"nothing", nil, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := checkLines(test.line, 0, nil); (err == nil) != test.ok {
				t.Errorf("got %v, want it accepted: %v", err, test.ok)
			}
		})
	}
}

// A section that claims to be larger than the limit is not decompressed.
func TestCompressedSectionsAreLimited(t *testing.T) {
	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	w.Write(make([]byte, 1000))
	w.Close()
	f := &object.File{Sections: []*elf.Section{{
		SectionHeader: elf.SectionHeader{Name: ".debug_info", Type: elf.SHT_PROGBITS, Flags: elf.SHF_COMPRESSED, Size: maxSize + 1, FileSize: uint64(packed.Len())},
		ReaderAt:      bytes.NewReader(packed.Bytes()),
	}}}
	if _, err := Open(f); err == nil {
		t.Error("it was accepted")
	}
}
