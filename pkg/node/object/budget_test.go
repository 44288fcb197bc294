package object

import (
	"bytes"
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/objecttest"
	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

func openImage(t *testing.T, i objecttest.Image) (*File, *objecttest.Reader) {
	t.Helper()
	r := i.Reader()
	f, err := Open(r)
	if err != nil {
		t.Fatal(err)
	}
	// A test may take long on a busy machine: meanwhile the limits do not grow, and reads are not too slow.
	b := f.reader.(*reader).budget
	b.opened = time.Now().Add(time.Hour)
	b.waited.Store(-int64(time.Hour))
	return f, r
}

// wantLimit fails unless the object has exceeded a limit, with an error that names it.
func wantLimit(t *testing.T, f *File, limit string) {
	t.Helper()
	if err := f.Err(); err == nil || !strings.Contains(err.Error(), "/lib/hostile.so: ") || !strings.Contains(err.Error(), limit) {
		t.Errorf("got %v, want an error with the object and %q", err, limit)
	}
}

// Segments that are the same bytes of a small file are counted each time that they are read, also
// by the readers that debug/elf makes.
func TestReadingAgainCountsAgain(t *testing.T) {
	const size = 32 << 20
	i := objecttest.Image{Size: size}
	for n := range uint64(maxSegments) {
		i.Segments = append(i.Segments, objecttest.Code(0, n*size, size))
	}
	f, r := openImage(t, i)
	buffer, failed := make([]byte, 1<<20), 0
	for _, s := range f.Segments {
		for at := int64(0); at < size; at += int64(len(buffer)) {
			if _, err := s.ReadAt(buffer, at); err != nil {
				failed++
			}
		}
	}
	wantLimit(t, f, "MiB were read")
	if r.Bytes > maxBytes+10*bytesPerSecond || failed == 0 {
		t.Errorf("%d MiB were read, %d reads failed", r.Bytes>>20, failed)
	}
}

// A read of few bytes counts more than these.
func TestManySmallReadsAreLimited(t *testing.T) {
	f, r := openImage(t, objecttest.Image{Size: 4096})
	var b [1]byte
	for range 2 * maxBytes / bytesPerRead {
		if _, err := f.ReadAt(b[:], 0); err != nil {
			break
		}
	}
	wantLimit(t, f, "MiB were read")
	if r.Reads > 2*maxBytes/bytesPerRead {
		t.Errorf("%d reads", r.Reads)
	}
}

func TestStepsAndWaitingAreLimited(t *testing.T) {
	f, _ := openImage(t, objecttest.Image{})
	if err := f.Step(maxSteps); err != nil {
		t.Error(err)
	}
	if f.Step(60*stepsPerSecond) == nil {
		t.Error("too many steps are allowed")
	}
	wantLimit(t, f, "32 million steps")
	if _, err := f.ReadAt(make([]byte, 1), 0); err != f.Err() {
		t.Errorf("reading after that: %v", err)
	}

	f, _ = openImage(t, objecttest.Image{})
	f.budget.waited.Store(int64(maxReadTime) + int64(time.Second))
	if _, err := f.ReadAt(make([]byte, 1), 0); err == nil {
		t.Error("reading goes on although it took too long")
	}
	wantLimit(t, f, "30s")
}

// The limit of one use ends its reads, but not those of the whole object.
func TestLimitOfOneUse(t *testing.T) {
	f, _ := openImage(t, objecttest.Image{Size: 4096})
	r := &limited{f, f, 100, 100}
	if _, err := r.ReadAt(make([]byte, 60), 0); err != nil {
		t.Error(err)
	}
	if _, err := r.ReadAt(make([]byte, 60), 0); err == nil || !strings.Contains(err.Error(), "/lib/hostile.so: more than 100 bytes") {
		t.Errorf("got %v", err)
	}
	if f.Err() != nil {
		t.Error("the object cannot be read any more")
	}
}

// All sections share one name, of which debug/elf makes a copy for each.
func TestSharedSectionNames(t *testing.T) {
	fuzzbudget.Enforce(t)
	i, name := objecttest.Image{}, strings.Repeat("n", 1<<16)
	for range maxSections - 2 {
		i.Sections = append(i.Sections, objecttest.Section{Name: name})
	}
	if _, err := Open(i.Reader()); err == nil || !strings.Contains(err.Error(), "names of the sections") {
		t.Errorf("got %v", err)
	}
}

// silent reads less than it should without an error, as no io.ReaderAt may.
type silent struct{ io.ReaderAt }

func (s silent) ReadAt(b []byte, offset int64) (int, error) {
	n, _ := s.ReaderAt.ReadAt(b, offset)
	return n, nil
}

func TestHeadersBeyondTheEnd(t *testing.T) {
	i := objecttest.Image{Segments: []elf.Prog64{objecttest.Code(0, 0, 64)}, Sections: []objecttest.Section{{Name: ".text"}}}
	r := i.Reader()
	content := make([]byte, r.Size())
	r.ReadAt(content, 0)
	for n := range content {
		for _, cut := range []io.ReaderAt{bytes.NewReader(content[:n]), silent{bytes.NewReader(content[:n])}} {
			if _, err := Open(cut); err == nil {
				t.Errorf("%d of %d bytes are an object", n, len(content))
			}
		}
	}
}

// changing changes what it has read: the next read of the same bytes differs.
type changing struct {
	io.ReaderAt
	seen map[int64]bool
}

func (c *changing) ReadAt(b []byte, offset int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(b, offset)
	if c.seen[offset] {
		for i := range b {
			b[i] = 0xff
		}
	}
	c.seen[offset] = true
	return n, err
}

// debug/elf parses the headers that were checked, even if the file changes after the check.
func TestHeadersAreReadOnce(t *testing.T) {
	i := objecttest.Image{
		Size: 4096, Segments: []elf.Prog64{objecttest.Code(0, 0, 4096)}, Sections: []objecttest.Section{{Name: ".text", Type: elf.SHT_PROGBITS}},
	}
	f, err := Open(&changing{i.Reader(), map[int64]bool{}})
	if err != nil {
		t.Fatal(err)
	}
	if f.Section(".text") == nil || len(f.Segments) != 1 {
		t.Errorf("got %d segments and %d sections", len(f.Segments), len(f.Sections))
	}
}

// compressed returns a compressed section that claims a size.
func compressed(content []byte, claimed uint64) []byte {
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, elf.Chdr64{Type: uint32(elf.COMPRESS_ZLIB), Size: claimed, Addralign: 1})
	w := zlib.NewWriter(&b)
	w.Write(content)
	w.Close()
	return b.Bytes()
}

func TestReadSection(t *testing.T) {
	const limit = 8 << 20
	zeros := make([]byte, 16<<20)
	tests := []struct {
		name    string
		content []byte
		flags   elf.SectionFlag
		size    uint64 // of the section; 0 for that of the content
		want    int    // bytes; -1 for an error
	}{
		{"plain", []byte("text"), 0, 0, 4},
		{"plain, at the limit", zeros[:limit], 0, 0, limit},
		{"plain, beyond the limit", zeros[:limit+1], 0, 0, -1},
		{"1 TB in a sparse file", nil, 0, 1 << 40, -1},
		{"more than the file has", []byte("text"), 0, 1 << 20, -1},
		{"compressed", compressed(zeros[:1000], 1000), elf.SHF_COMPRESSED, 0, 1000},
		{"compressed, claims to be larger than the limit", compressed(zeros[:1000], 1<<40), elf.SHF_COMPRESSED, 0, -1},
		{"compressed, claims less than it has", compressed(zeros, 1000), elf.SHF_COMPRESSED, 0, 1000},
		{"compressed, claims more than it has", compressed(zeros[:10], 1000), elf.SHF_COMPRESSED, 0, -1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			i := objecttest.Image{
				Size: 4096 + uint64(len(test.content)), Data: map[uint64][]byte{4096: test.content},
				Sections: []objecttest.Section{{Name: ".x", Type: elf.SHT_PROGBITS, Flags: test.flags, Offset: 4096, Size: uint64(len(test.content))}},
			}
			if test.size > 0 {
				i.Sections[0].Size = test.size
			}
			if test.size > 1<<30 {
				i.Size += test.size
			}
			fuzzbudget.Enforce(t)
			f, _ := openImage(t, i)
			s := f.Section(".x")
			if s.ReadAt(make([]byte, 1), 0); s.ReaderAt == nil {
				t.Error("it has no reader")
			}
			got, err := f.ReadSection(s, limit)
			if test.want < 0 && err == nil || test.want >= 0 && (err != nil || len(got) != test.want) {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
			if err != nil && !strings.Contains(err.Error(), "/lib/hostile.so: section .x") {
				t.Errorf("the error does not name the object: %v", err)
			}
		})
	}
}

// Thousands of symbol tables are all the same part of a sparse file. The first one is read.
func TestOneSymbolTableOfEachType(t *testing.T) {
	const symbols = 1 << 20
	i := objecttest.Image{Size: 4<<20 + symbols*symbolSize}
	for range maxSections - 2 {
		i.Sections = append(i.Sections, objecttest.Section{
			Name: ".symtab", Type: elf.SHT_SYMTAB, Offset: 4 << 20, Size: symbols * symbolSize, Link: maxSections - 1,
		})
	}
	f, r := openImage(t, i)
	n := 0
	for range f.Symbols(elf.SHT_SYMTAB, elf.SHT_DYNSYM) {
		n++
	}
	if n != symbols || f.Err() != nil || r.Bytes > 2*symbols*symbolSize {
		t.Errorf("%d symbols, %d MiB, %v", n, r.Bytes>>20, f.Err())
	}
}

// A name without an end is read once for each symbol, until the limit.
func TestLongSymbolNames(t *testing.T) {
	const symbols = 1 << 20
	i := objecttest.Image{
		Size: 128 << 20,
		Data: map[uint64][]byte{
			4096:     bytes.Repeat(binary.LittleEndian.AppendUint32(nil, 1), symbols*symbolSize/4),
			64 << 20: bytes.Repeat([]byte("n"), 1<<20),
		},
		Sections: []objecttest.Section{
			{Name: ".strtab", Type: elf.SHT_STRTAB, Offset: 64 << 20, Size: 1 << 20},
			{Name: ".symtab", Type: elf.SHT_SYMTAB, Offset: 4096, Size: symbols * symbolSize, Link: 1},
		},
	}
	f, r := openImage(t, i)
	for s := range f.Symbols(elf.SHT_SYMTAB) {
		if s.Name() != "" {
			t.Fatal("the symbol has a name")
		}
	}
	wantLimit(t, f, "MiB were read")
	if r.Reads > 2*maxBytes/bytesPerRead {
		t.Errorf("%d reads", r.Reads)
	}
}

func TestOneOfManyNoteSegments(t *testing.T) {
	fuzzbudget.Enforce(t)
	i := objecttest.Image{Size: 1 << 30}
	for range maxSegments {
		i.Segments = append(i.Segments, elf.Prog64{Type: uint32(elf.PT_NOTE), Off: 4096, Filesz: 1 << 29})
	}
	f, r := openImage(t, i)
	if id := f.BuildID(); id != "" || r.Bytes > 2*maxNoteSegments*maxNotes {
		t.Errorf("build ID %q, %d bytes read", id, r.Bytes)
	}
}
