package object

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
)

// Limits on notes. Objects have up to 4 segments with some hundred bytes.
const (
	maxNoteSegments = 16
	maxNotes        = 64 << 10 // bytes that are read of one segment
)

// Types of notes with build IDs: NT_GNU_BUILD_ID of elf.h, and that of cmd/internal/buildid for the
// owner "Go".
const (
	noteGNUBuildID = 3
	noteGoBuildID  = 4
)

// BuildID returns the GNU build ID in hex, else Go's build ID as it is in the file; empty if there
// is neither.
func (f *File) BuildID() string {
	var goID string
	segments := 0
	for _, s := range f.Segments {
		if s.Type != elf.PT_NOTE || segments == maxNoteSegments {
			continue
		}
		segments++
		notes := make([]byte, min(s.Filesz, maxNotes))
		n, _ := s.ReadAt(notes, 0)
		gnu, g := parseBuildIDs(notes[:n])
		if gnu != "" {
			return gnu
		}
		if g != "" {
			goID = g
		}
	}
	// Files that are not loaded, such as those that dwz writes, have sections only.
	if s := f.Section(".note.gnu.build-id"); goID == "" && segments == 0 && s != nil && s.Flags&elf.SHF_COMPRESSED == 0 {
		notes := make([]byte, min(s.FileSize, maxNotes))
		n, _ := s.ReadAt(notes, 0)
		gnu, _ := parseBuildIDs(notes[:n])
		return gnu
	}
	return goID
}

// parseBuildIDs walks notes: three words (name size, content size, type), name, content, both
// padded to four bytes (System V gABI, "Note Section").
func parseBuildIDs(notes []byte) (gnu, goID string) {
	order := binary.LittleEndian
	for len(notes) >= 12 {
		nameSize, size, kind := uint64(order.Uint32(notes)), uint64(order.Uint32(notes[4:])), order.Uint32(notes[8:])
		name := uint64(12)
		content := name + (nameSize+3)&^3
		next := content + (size+3)&^3
		if content+size > uint64(len(notes)) {
			break
		}
		owner := string(bytes.TrimRight(notes[name:name+min(nameSize, content-name)], "\x00"))
		switch {
		case owner == "GNU" && kind == noteGNUBuildID:
			gnu = hex.EncodeToString(notes[content : content+size])
		case owner == "Go" && kind == noteGoBuildID:
			goID = string(notes[content : content+size])
		}
		if next > uint64(len(notes)) {
			break
		}
		notes = notes[next:]
	}
	return gnu, goID
}
