//go:build linux

package proc

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"io"
)

// maxNotes bounds the bytes of notes that are read from a file.
const maxNotes = 64 << 10

// Types of the notes that hold build IDs, by owner: NT_GNU_BUILD_ID of elf.h, and
// cmd/internal/buildid's ELF note.
const (
	noteGNUBuildID = 3
	noteGoBuildID  = 4
)

// buildID reads the notes in an object's PT_NOTE segments.
func buildID(r io.ReaderAt) string {
	f, err := OpenELF(r)
	if err != nil {
		return ""
	}
	var goID string
	for _, p := range f.Progs {
		if p.Type != elf.PT_NOTE {
			continue
		}
		notes := make([]byte, min(p.Filesz, maxNotes))
		n, _ := p.ReadAt(notes, 0)
		gnu, g := buildIDsIn(notes[:n], f.ByteOrder)
		if gnu != "" {
			return gnu
		}
		if g != "" {
			goID = g
		}
	}
	return goID
}

// buildIDsIn walks notes: three words (name size, content size, type), name, content, both padded to
// four bytes (gABI, "Note Section").
func buildIDsIn(notes []byte, order binary.ByteOrder) (gnu, goID string) {
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
			goID = clean(string(notes[content : content+size]))
		}
		if next > uint64(len(notes)) {
			break
		}
		notes = notes[next:]
	}
	return gnu, goID
}
