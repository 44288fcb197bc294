package unwind

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/objecttest"
	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

// compileImage returns the rows of an object and logs what they cost.
func compileImage(t *testing.T, i objecttest.Image) (rows []Row, _ error) {
	t.Helper()
	f, err := object.Open(i.Reader())
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	table, err := Compile(f, NewRuleSet())
	if err == nil {
		rows, err = rowsOf(table)
	}
	t.Logf("%d rows in %v, %v", len(rows), time.Since(began), err)
	return rows, err
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

// The segments are all the same 16 MiB of a small file.
func TestOverlappingCodeSegments(t *testing.T) {
	i := objecttest.Image{Size: 20 << 20}
	for n := range uint64(255) {
		i.Segments = append(i.Segments, objecttest.Code(4096, n<<25, 16<<20))
	}
	r := i.Reader()
	f, err := object.Open(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Compile(f, NewRuleSet()); err != nil {
		t.Error(err)
	}
	if r.Bytes > 2*maxSearched {
		t.Errorf("%d MiB were read", r.Bytes>>20)
	}
}

// frames returns an object with the given .eh_frame.
func frames(content []byte) objecttest.Image {
	return objecttest.Image{
		Size: 4096 + uint64(len(content)), Data: map[uint64][]byte{4096: content},
		Segments: []elf.Prog64{objecttest.Code(0, 0, 4096)},
		Sections: []objecttest.Section{
			{Name: ".eh_frame", Type: elf.SHT_PROGBITS, Flags: elf.SHF_ALLOC, Addr: 4096, Offset: 4096, Size: uint64(len(content))},
		},
	}
}

// smallCIE is a CIE with addresses of 4 bytes.
func smallCIE(instructions ...byte) []byte {
	return entry(nil, append([]byte{0, 0, 0, 0, 1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x03}, instructions...))
}

// appendFDE appends an FDE whose CIE is at the start of data.
func appendFDE(data []byte, start, size uint32, instructions ...byte) []byte {
	fde := binary.LittleEndian.AppendUint32(nil, uint32(len(data)+4))
	fde = binary.LittleEndian.AppendUint32(fde, start)
	fde = binary.LittleEndian.AppendUint32(fde, size)
	return entry(data, append(append(fde, 0), instructions...))
}

// Millions of functions of one byte.
func TestTinyFunctions(t *testing.T) {
	data := smallCIE()
	for n := uint32(1); len(data) < 40<<20; n++ {
		data = appendFDE(data, n, 1)
	}
	i := frames(data)
	fuzzbudget.Enforce(t)
	_, err := compileImage(t, i)
	wantError(t, err, "more than 1572864 functions")
}

// An object with more rows than any known one is compiled without keeping them in memory.
func TestMostRows(t *testing.T) {
	const functions = 1_100_000
	data := smallCIE(cfaDefCFA, 7, 8, cfaOffset|16, 1)
	for n := range uint32(functions) {
		data = appendFDE(data, 0x10000+8*n, 8, cfaAdvanceLoc|1, cfaDefCFAOffset, 16, cfaAdvanceLoc|1, cfaDefCFAOffset, 8, 0)
	}
	f, err := object.Open(frames(data).Reader())
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	table, err := Compile(f, NewRuleSet())
	if err != nil {
		t.Fatal(err)
	}
	rows, last := 0, int64(-1)
	for r, err := range table.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		if int64(r.Address) <= last {
			t.Fatalf("row %d at %#x is not after the one at %#x", rows, r.Address, last)
		}
		last = int64(r.Address)
		rows++
	}
	runtime.ReadMemStats(&after)
	if want := 2*functions + 2; rows != want { // one before the first function, one after the last
		t.Errorf("%d rows, want %d", rows, want)
	}
	if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 30 {
		t.Errorf("%d MiB were allocated for %d functions, want at most 30", used, functions)
	}
}

// The section is larger than those of real programs.
func TestLargeSection(t *testing.T) {
	i := frames(nil)
	i.Sections[0].Size, i.Size = 1<<40, 1<<41
	fuzzbudget.Enforce(t)
	_, err := compileImage(t, i)
	wantError(t, err, "/lib/hostile.so: section .eh_frame has 1099511627776 bytes")
}

// Each function has its own CIE.
func TestManyCIEs(t *testing.T) {
	var data []byte
	for n := uint32(1); len(data) < 4<<20; n++ {
		at := len(data)
		data = append(data, smallCIE()...)
		fde := appendFDE(nil, n, 1)
		binary.LittleEndian.PutUint32(fde[4:], uint32(len(data)+4-at))
		data = append(data, fde...)
	}
	i := frames(data)
	fuzzbudget.Enforce(t)
	_, err := compileImage(t, i)
	wantError(t, err, "more than 16384 CIEs")
}

// A CIE of 512 KiB is executed once, not for each of its functions.
func TestLongInstructionsThatManyFunctionsShare(t *testing.T) {
	data := smallCIE(append(make([]byte, 512<<10), cfaDefCFA, 7, 8, cfaOffset|16, 1)...)
	for n := range uint32(10_000) {
		data = appendFDE(data, n+1, 1)
	}
	i := frames(data)
	fuzzbudget.Enforce(t)
	if rows, err := compileImage(t, i); err != nil || len(rows) != 3 { // before the functions, of all, after them
		t.Errorf("got %v and %v", rows, err)
	}
}

// One function has as many rows as its instructions can make, none of which is kept, or all.
func TestManyRowsOfOneFunction(t *testing.T) {
	for name, instructions := range map[string][]byte{
		"at one address": {cfaAdvanceLoc, cfaDefCFAOffset, 8, cfaAdvanceLoc, cfaDefCFAOffset, 16},
		"at many":        {cfaAdvanceLoc | 1, cfaDefCFAOffset, 8, cfaAdvanceLoc | 1, cfaDefCFAOffset, 16},
	} {
		t.Run(name, func(t *testing.T) {
			data := appendFDE(smallCIE(cfaDefCFA, 7, 8, cfaOffset|16, 1), 1, 1<<30, bytes.Repeat(instructions, 1<<20)...)
			i := frames(data)
			fuzzbudget.Enforce(t)
			if rows, err := compileImage(t, i); err == nil && len(rows) > maxRows+1 { // 1 for the end
				t.Errorf("%d rows", len(rows))
			}
		})
	}
}
