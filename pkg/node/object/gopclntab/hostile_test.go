package gopclntab

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/objecttest"
	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

// After reading more pc-value tables than any real program needs, Lookup no longer reads them:
// functions keep their names.
func TestWalkedBytesAreLimited(t *testing.T) {
	table, _ := openFile(t, build(t, "local", "-ldflags=-s -w"))
	entry := findFunction(t, table, "main.outer")
	before, err := table.Lookup(entry)
	if err != nil || before[len(before)-1].Line == 0 {
		t.Fatalf("got %+v, %v", before, err)
	}
	if table.walked == 0 {
		t.Error("walking was not counted")
	}
	table.walked = maxWalked
	after, err := table.Lookup(entry)
	if err != nil || len(after) != 1 || after[0].Name != "main.outer" || after[0].Line != 0 {
		t.Errorf("got %+v, %v, want main.outer without a line", after, err)
	}
}

// Searches end after the limit on the bytes of all searches.
func TestSearchedBytesAreLimited(t *testing.T) {
	table, _ := openFile(t, build(t, "local", "-ldflags=-s -w"))
	if table.image.unread == maxScan {
		t.Error("searching was not counted")
	}
	table.image.unread = 4096
	visits, isZero := 0, func(word uint64) bool { return word == 0 }
	whole := part{table.base, 1 << 40}
	whole.search(table.image, 8, isZero, func(uint64) bool { visits++; return true })
	if table.image.unread != 0 || visits > 4096/8 {
		t.Errorf("%d bytes may still be searched, %d visits", table.image.unread, visits)
	}
	whole.search(table.image, 8, isZero, func(uint64) bool { t.Fatal("visited"); return false })
}

// goImage returns an object with the given content, which segments map again and again, and which
// all is a section that is searched.
func goImage(content []byte) objecttest.Image {
	size, segments := uint64(len(content)), uint64(250)
	i := objecttest.Image{
		Size: 1<<20 + size, Data: map[uint64][]byte{1 << 20: content},
		Sections: []objecttest.Section{
			{Name: ".rodata", Type: elf.SHT_PROGBITS, Flags: elf.SHF_ALLOC, Addr: size, Offset: 1 << 20, Size: segments * size},
			{Name: ".go.buildinfo", Type: elf.SHT_PROGBITS, Flags: elf.SHF_ALLOC, Size: 64},
		},
	}
	for n := range segments {
		i.Segments = append(i.Segments, objecttest.Data(1<<20, (n+1)*size, size))
	}
	return i
}

// Each word of a small file, which overlapping segments make a large one, looks like the start of the
// table.
func TestManyPlacesThatLookLikeTheTable(t *testing.T) {
	word := []byte{0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8}
	r := goImage(bytes.Repeat(word, 1<<20/8)).Reader()
	fuzzbudget.Enforce(t)
	f, err := object.Open(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(f); err == nil {
		t.Error("a table was found")
	}
	if r.Bytes > 16<<20 {
		t.Errorf("%d MiB were read", r.Bytes>>20)
	}
}

// Nothing looks like the table. The segments are read up to the limit of searches.
func TestSearchOfOverlappingSegments(t *testing.T) {
	r := goImage(make([]byte, 8<<20)).Reader()
	fuzzbudget.Enforce(t)
	f, err := object.Open(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(f); err == nil {
		t.Error("a table was found")
	}
	if r.Bytes > maxScan+16<<20 {
		t.Errorf("%d MiB were read", r.Bytes>>20)
	}
}

// header returns a table's header with the given number of functions. Its sub-tables are at the
// given offsets.
func header(functions, names, pcs, funcs uint64) []byte {
	b := []byte{0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8}
	for _, word := range []uint64{functions, 0, 0x100000, names, names, names, pcs, funcs} {
		b = binary.LittleEndian.AppendUint64(b, word)
	}
	return b
}

// All functions of a table share one record, which is of assembly with a long name.
func TestManyAssemblyFunctions(t *testing.T) {
	const names, pcs, funcs, record = 0x1000, 0x3000, 0x4000, 0x5000 + 8*maxFunctions
	table := header(maxFunctions, names, pcs, funcs)
	content := make([]byte, record+64)
	copy(content, table)
	copy(content[names:], bytes.Repeat([]byte("n"), maxName-1))
	for n := range maxFunctions {
		binary.LittleEndian.PutUint32(content[funcs+8*n:], uint32(n))
		binary.LittleEndian.PutUint32(content[funcs+8*n+4:], record-funcs)
	}
	content[record+41] = flagAssembly
	i := objecttest.Image{
		Size: 4096 + uint64(len(content)), Data: map[uint64][]byte{4096: content},
		Segments: []elf.Prog64{objecttest.Data(4096, 4096, uint64(len(content)))},
		Sections: []objecttest.Section{{Name: ".gopclntab", Type: elf.SHT_PROGBITS, Addr: 4096, Offset: 4096, Size: uint64(len(content))}},
	}
	f, err := object.Open(i.Reader())
	if err != nil {
		t.Fatal(err)
	}
	fuzzbudget.Enforce(t)
	opened, err := Open(f)
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	if err := opened.EachAssembly(func(a Assembly) { kept += len(a.Name) }); err == nil {
		t.Error("the limit was not reported")
	}
	if kept > maxAssemblyBytes || kept == 0 {
		t.Errorf("%d bytes of names", kept)
	}
}

// A sparse file has relocations only: none of them is in the module data.
func TestManyRelocations(t *testing.T) {
	i := goImage(make([]byte, 4096))
	i.Size = 1 << 40
	i.Data[4096] = header(1, 0x100, 0x200, 0x300)
	i.Segments = append(i.Segments, objecttest.Data(4096, 1<<32, 4096))
	i.Sections = append(i.Sections, objecttest.Section{Name: ".gopclntab", Type: elf.SHT_PROGBITS, Addr: 1 << 32, Offset: 4096, Size: 4096})
	for range 100 {
		i.Sections = append(i.Sections, objecttest.Section{Name: ".rela.dyn", Type: elf.SHT_RELA, Flags: elf.SHF_ALLOC, Offset: 1 << 30, Size: 1 << 39})
	}
	r := i.Reader()
	fuzzbudget.Enforce(t)
	f, err := object.Open(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(f); err != nil {
		t.Error(err)
	}
	if r.Bytes > maxScan+16<<20 || r.Bytes < maxScan/2 {
		t.Errorf("%d MiB were read", r.Bytes>>20)
	}
}
