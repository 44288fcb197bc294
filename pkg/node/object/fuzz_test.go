package object

import (
	"bytes"
	"debug/elf"
	"os"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"

	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
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
		fuzzbudget.Enforce(t)
		if unpacked, err := unpackXZ(bytes.NewReader(data)); err == nil && len(unpacked) > maxMiniDebug {
			t.Errorf("unpacked %d bytes", len(unpacked))
		}
	})
}

// FuzzOpen reads everything of an object that this package can read.
func FuzzOpen(f *testing.F) {
	for _, path := range []string{"/bin/true", "/lib/ld-linux.so.2"} {
		if data, err := os.ReadFile(path); err == nil {
			f.Add(data)
		}
	}
	f.Add([]byte(elf.ELFMAG))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzbudget.Enforce(t)
		o, err := Open(bytes.NewReader(data))
		if err != nil {
			return
		}
		o.BuildID()
		o.DebugLink()
		o.MiniDebugInfo()
		_, _ = o.GoBuildInfo()
		var addresses []uint64
		for _, s := range o.PLT() {
			addresses = append(addresses, s.Addr, s.Addr+s.Size/2)
		}
		o.StubTargets(addresses)
		for s := range o.Symbols(elf.SHT_SYMTAB, elf.SHT_DYNSYM) {
			s.Name()
		}
		for _, s := range o.Sections {
			_, _ = o.ReadSection(s, 1<<20)
		}
	})
}

func FuzzDebugLink(f *testing.F) {
	f.Add([]byte("prog.debug\x00\x00\x01\x02\x03\x04"))
	f.Add([]byte("../..\x00"))
	f.Fuzz(func(t *testing.T, section []byte) {
		fuzzbudget.Enforce(t)
		f := &File{Sections: []*elf.Section{{
			SectionHeader: elf.SectionHeader{Name: ".gnu_debuglink", Type: elf.SHT_PROGBITS, Size: uint64(len(section)), FileSize: uint64(len(section))},
			ReaderAt:      bytes.NewReader(section),
		}}}
		if name, _, ok := f.DebugLink(); ok && strings.Contains(name, "/") {
			t.Errorf("%q leads to another directory", name)
		}
	})
}
