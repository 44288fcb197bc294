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
	tests := map[string]struct {
		sections map[string][]byte // by their names
		want     string
	}{
		"too many units":                    {map[string][]byte{"info": manyUnits, "abbrev": []byte(plain)}, "more than 100000 units"},
		"tables within tables":              {map[string][]byte{"info": tables, "abbrev": bytes.Repeat([]byte("\x01\x11\x00\x03\x0e\x00\x00"), 2000)}, "more than 4194304 bytes"},
		"an entry with too many attributes": {map[string][]byte{"info": unitHeader(0, 0), "abbrev": append([]byte("\x01\x11\x00"), bytes.Repeat([]byte("\x03\x0e"), 1000)...)}, "more than 256 attributes"},
		"a string without end":              {map[string][]byte{"info": unitHeader(0, 0), "abbrev": []byte(plain), "str": bytes.Repeat([]byte("x"), maxString+1)}, "more than 65536 bytes"},
		"a unit beyond the end":             {map[string][]byte{"info": unitHeader(1000, 0), "abbrev": []byte(plain)}, "cut off"},
		"half a header":                     {map[string][]byte{"info": {1, 2}, "abbrev": []byte(plain)}, "cut off"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Open(openSections(t, test.sections))
			if err == nil || !strings.HasPrefix(err.Error(), "/lib/hostile.so: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

// lineHeader returns the header of a line program of DWARF 5 with the given lists and total length.
func lineHeader(lists string, length uint32) []byte {
	b := binary.LittleEndian.AppendUint32(nil, length)
	return append(b, "\x05\x00\x08\x00\x00\x00\x00\x00\x01\x01\x01\xfb\x0e\x01"+lists...)
}

// dwarf4Lines returns a line program of DWARF 4 with the given lists and instructions.
func dwarf4Lines(rest string) []byte {
	const header = "\x04\x00\x00\x00\x00\x00\x01\x01\x01\xfb\x0e\x01"
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(header)+len(rest))), header+rest...)
}

func TestHostileLinePrograms(t *testing.T) {
	const huge = "\xff\xff\xff\xff\xff\xff\x03"
	long := strings.Repeat("d", 60_000)
	// 300 files in the unit's directory: of the header of DWARF 4, and of instructions.
	listed := dwarf4Lines("\x00" + strings.Repeat("f\x00\x00\x00\x00", 300) + "\x00")
	defined := dwarf4Lines("\x00\x00" + strings.Repeat("\x00\x06\x03f\x00\x00\x00\x00", 300))
	padded := dwarf4Lines("\x00\x00" + strings.Repeat("\x00\x86\x80\x00\x03f\x00\x00\x00\x00", 300))
	tests := []struct {
		name    string
		line    []byte
		ok      bool
		compDir string
	}{
		{"well-formed", lineHeader("\x01\x01\x08\x01d\x00\x01\x01\x08\x01f\x00", 26), true, ""},
		{"well-formed, DWARF 4", listed, true, "/src"},
		{"files of instructions", defined, true, "/src"},
		{"many files in a long directory", listed, false, long},
		{"many files of instructions in a long directory", defined, false, long},
		{"lengths of instructions in more bytes than needed", padded, false, long},
		{"directories within directories", lineHeader("\x02\x01\x08\x02\x0b\x01d\x00\x00\x00\x00", 25), false, ""},
		{"many uses of a long directory", lineHeader("\x01\x01\x08\x01"+long+"\x00\x01\x01\x08\xac\x02"+strings.Repeat("f\x00", 300), uint32(24+len(long)+600)), false, ""},
		{"too many directories of no bytes", lineHeader("\x00"+huge, 22), false, ""},
		{"too many directories", lineHeader("\x01\x01\x08"+huge, 24), false, ""},
		{"too many files", lineHeader("\x00\x00\x01\x01\x08"+huge, 26), false, ""},
		{"unknown form", lineHeader("\x01\x01\x77\x01d\x00\x00\x00", 22), false, ""},
		{"beyond the end", lineHeader("", 1000), false, ""},
		{"a long directory in a long program", append(lineHeader("\x01\x01\x08\x01"+long+"\x00\x00\x00", 1<<20), bytes.Repeat([]byte("\x00\x06\x03f\x00\x00\x00\x00"), 1<<17)...), false, ""},
		{"too long a program", append(lineHeader("\x00\x00\x00\x00", maxLineBytes+1), make([]byte, maxLineBytes)...), false, ""},
		{"nothing", nil, false, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := checkLines(test.line, 0, test.compDir, nil); (err == nil) != test.ok {
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
