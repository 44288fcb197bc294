package object

import (
	"bytes"
	"debug/elf"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"
)

func FuzzXZ(f *testing.F) {
	var packed bytes.Buffer
	w, err := xz.NewWriter(&packed)
	if err != nil {
		f.Fatal(err)
	}
	w.Write([]byte("text"))
	w.Close()
	f.Add(packed.Bytes())
	f.Add([]byte("\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x28\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if unpacked, err := unpackXZ(bytes.NewReader(data)); err == nil && len(unpacked) > maxMiniDebug {
			t.Errorf("unpacked %d bytes", len(unpacked))
		}
	})
}

func FuzzDebugLink(f *testing.F) {
	f.Add([]byte("prog.debug\x00\x00\x01\x02\x03\x04"))
	f.Add([]byte("../..\x00"))
	f.Fuzz(func(t *testing.T, section []byte) {
		f := &File{Sections: []*elf.Section{{
			SectionHeader: elf.SectionHeader{Name: ".gnu_debuglink", Type: elf.SHT_PROGBITS, Size: uint64(len(section)), FileSize: uint64(len(section))},
			ReaderAt:      bytes.NewReader(section),
		}}}
		if name, _, ok := f.DebugLink(); ok && strings.Contains(name, "/") {
			t.Errorf("%q leads to another directory", name)
		}
	})
}
