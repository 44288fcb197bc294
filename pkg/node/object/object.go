// Package object reads ELF objects: sections, segments, symbols, relocations, build IDs and stubs.
// Its entry point is Open. The objects belong to the target and are not trusted: everything that
// one costs is counted, and every size is bounded. The package must not depend on processes or
// profiles, and it works on any operating system.
package object

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"strings"
)

// File is an object for a little-endian machine. It does not own what it was opened from.
type File struct {
	Class    elf.Class // 64 or 32 bits; relocations and stubs are those of 64-bit objects
	Type     elf.Type
	Machine  elf.Machine
	Sections []*elf.Section
	Segments []*elf.Prog
	// SectionsRemoved reports whether the object has no section headers. Sections then has those that the
	// dynamic linker uses.
	SectionsRemoved bool

	reader io.ReaderAt
	size   uint64 // of the file, in bytes; 0 if it is not known
	budget *budget
}

// Open reads the headers of an object. If r has a method Path, errors of limits name that path; if
// it has a method Size, nothing beyond that is expected.
func Open(r io.ReaderAt) (*File, error) { return open(r, newBudget(r)) }

func open(r io.ReaderAt, b *budget) (*File, error) {
	headers, err := readHeaders(&reader{r, b})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b.object, err)
	}
	headers.source = r
	source := &reader{headers, b}
	e, err := elf.NewFile(source)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b.object, err)
	}
	f := &File{Class: e.Class, Type: e.Type, Machine: e.Machine, Sections: e.Sections, Segments: e.Progs, reader: source, budget: b}
	if s, ok := r.(interface{ Size() int64 }); ok {
		f.size = uint64(max(0, s.Size()))
	}
	for _, s := range f.Sections {
		if s.ReaderAt == nil { // it is compressed
			s.ReaderAt = unreadable{}
		}
	}
	if f.SectionsRemoved = len(f.Sections) <= 1; f.SectionsRemoved && f.Class == elf.ELFCLASS64 { // the first is always empty
		f.Sections = f.recoverSections()
	}
	return f, nil
}

// unreadable is the content of a section that cannot be read at an offset.
type unreadable struct{}

func (unreadable) ReadAt([]byte, int64) (int, error) {
	return 0, errors.New("the section is compressed")
}

// openMemory opens an object that was unpacked from f. What it costs counts for f.
func (f *File) openMemory(content []byte) (*File, error) {
	return open(bytes.NewReader(content), f.budget)
}

// Err returns the error of the first limit that the object has exceeded, or nil. After such an
// error, nothing more can be read, and what was found before it may be incomplete.
func (f *File) Err() error { return f.budget.err() }

// Step counts n steps of a loop over something that the object contains. The caller ends the loop
// if it returns an error, which names the object and the limit.
func (f *File) Step(n int) error { return f.budget.addSteps(n) }

// ReadAt reads at an offset in the file, as io.ReaderAt.
func (f *File) ReadAt(b []byte, offset int64) (int, error) { return f.reader.ReadAt(b, offset) }

// Section returns the first section of a name, or nil.
func (f *File) Section(name string) *elf.Section {
	for _, s := range f.Sections {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// ErrTooLarge is wrapped by errors of sections that have more bytes than the limit.
var ErrTooLarge = errors.New("more than the limit")

// ReadSection returns the content of a section, decompressed. It returns an error, and allocates
// nothing, if the section claims more bytes than the limit or than the file has.
func (f *File) ReadSection(s *elf.Section, limit uint64) ([]byte, error) {
	if s.Type == elf.SHT_NOBITS || f.size > 0 && (s.FileSize > f.size || s.Offset > f.size-s.FileSize) {
		return nil, f.Errorf("section %s is not in the file", s.Name)
	}
	// size is what a compressed section claims to have after decompression; no more is read.
	size, content := s.Size, io.Reader(io.NewSectionReader(s, 0, int64(s.FileSize)))
	compressed := s.Flags&elf.SHF_COMPRESSED != 0
	if compressed {
		content = s.Open()
	} else if strings.HasPrefix(s.Name, gnuCompressed) {
		var err error
		if size, content, err = openGNUCompressed(s); err != nil {
			return nil, f.Errorf("section %s: %w", s.Name, err)
		}
		compressed = true
	}
	if largest := max(size, s.FileSize); largest > limit {
		return nil, f.Errorf("section %s has %d bytes, %w of %d", s.Name, largest, ErrTooLarge, limit)
	}
	if compressed {
		if err := f.budget.addBytes(int64(size)); err != nil {
			return nil, err
		}
	}
	data := make([]byte, size) // s.Data would grow it step by step, up to twice the size
	if _, err := io.ReadFull(content, data); err != nil {
		return nil, f.Errorf("section %s: %w", s.Name, err)
	}
	return data, nil
}

// Errorf returns an error that names the object.
func (f *File) Errorf(format string, arguments ...any) error {
	name := "object"
	if f.budget != nil {
		name = f.budget.object
	}
	return fmt.Errorf("%s: "+format, append([]any{name}, arguments...)...)
}
