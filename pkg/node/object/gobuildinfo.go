package object

import (
	"debug/buildinfo"
	"debug/elf"
	"encoding/binary"
	"io"
)

// maxBuildInfo is the limit on what is read for a program's build information, in bytes. That of
// the largest programs has 100 KB; debug/buildinfo reads the headers and searches in steps of 1 MB,
// and it keeps a multiple of what it reads.
const maxBuildInfo = 4 << 20

// maxDataSegments limits the segments that are searched for build information. A position-independent
// program has two.
const maxDataSegments = 4

// GoBuildInfo returns the build information of a Go program: its version, modules and settings.
func (f *File) GoBuildInfo() (*buildinfo.BuildInfo, error) {
	info, err := f.readBuildInfo(f)
	if err == nil || !f.SectionsRemoved || f.Class != elf.ELFCLASS64 {
		return info, err
	}
	// debug/buildinfo then searches the first writable segment only.
	for i, hidden := range f.writableSegments() {
		if i >= maxDataSegments-1 {
			break
		}
		if info, err := f.readBuildInfo(readOnlySegments{f, hidden}); err == nil {
			return info, nil
		}
	}
	return nil, err
}

func (f *File) readBuildInfo(r io.ReaderAt) (*buildinfo.BuildInfo, error) {
	info, err := buildinfo.Read(&limited{f, r, maxBuildInfo, maxBuildInfo})
	if err != nil {
		return nil, f.Errorf("%w", err)
	}
	return info, nil
}

// writableSegments returns, for each writable segment of a 64-bit object but the first, the offsets in
// the file of the flags of those before it.
func (f *File) writableSegments() (before [][]int64) {
	var raw [8]byte
	if n, _ := f.ReadAt(raw[:], headersOffset); n < len(raw) {
		return nil
	}
	var flags []int64
	for i, p := range f.Segments {
		if p.Type != elf.PT_LOAD || p.Flags&(elf.PF_W|elf.PF_X) != elf.PF_W {
			continue
		}
		if len(flags) > 0 {
			before = append(before, flags[:len(flags):len(flags)])
		}
		flags = append(flags, int64(binary.LittleEndian.Uint64(raw[:]))+int64(i)*segmentHeaderSize+segmentFlagsOffset)
	}
	return before
}

// Offsets and sizes, in bytes, in Elf64_Ehdr and Elf64_Phdr.
const (
	headersOffset      = 32 // of e_phoff
	segmentHeaderSize  = 56
	segmentFlagsOffset = 4 // of p_flags
)

// readOnlySegments is an object of which some segments appear as not writable.
type readOnlySegments struct {
	file  *File
	flags []int64 // offsets in the file of the segments' flags
}

func (r readOnlySegments) ReadAt(b []byte, offset int64) (int, error) {
	n, err := r.file.ReadAt(b, offset)
	for _, at := range r.flags {
		if at >= offset && at-offset < int64(n) {
			b[at-offset] &^= byte(elf.PF_W)
		}
	}
	return n, err
}
