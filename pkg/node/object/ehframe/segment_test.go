package ehframe

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"runtime"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/objecttest"
)

// The search for .eh_frame keeps only a window of it in memory: the target chooses its size.
func TestSearchForTheSectionTakesLittleMemory(t *testing.T) {
	const address, functions, code = 0x1000, 300_000, 0x40000000
	le := binary.LittleEndian
	// A CIE for amd64 with relative addresses of four bytes, then FDEs.
	section := []byte("\x14\x00\x00\x00\x00\x00\x00\x00\x01zR\x00\x01\x78\x10\x01\x1b\x0c\x07\x08\x90\x01\x00\x00")
	for i := range functions {
		at := uint32(len(section))
		section = le.AppendUint32(section, 20)
		section = le.AppendUint32(section, at+4)
		section = le.AppendUint32(section, code+uint32(16*i)-(address+at+8))
		section = le.AppendUint32(section, 16)
		section = append(section, make([]byte, 8)...)
	}
	section = le.AppendUint32(section, 0)
	readable := objecttest.Code(address, address, uint64(len(section)+100))
	readable.Flags = uint32(elf.PF_R)
	image := objecttest.Image{
		Size: address + uint64(len(section)+100), Data: map[uint64][]byte{address: section},
		Segments: []elf.Prog64{readable, objecttest.Code(0, code, 16*functions)},
	}
	whole, err := io.ReadAll(io.NewSectionReader(image.Reader(), 0, image.Reader().Size()))
	if err != nil {
		t.Fatal(err)
	}
	f, err := object.Open(bytes.NewReader(objecttest.RemoveSections(whole)))
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s, err := Open(f, AMD64)
	runtime.ReadMemStats(&after)
	if err != nil || s.Size() != uint64(len(section)) {
		t.Fatalf("a section of %d bytes was found, want %d: %v", s.Size(), len(section), err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 2<<20 {
		t.Errorf("%d KiB were allocated for a section of %d KiB", n>>10, len(section)>>10)
	}
}
