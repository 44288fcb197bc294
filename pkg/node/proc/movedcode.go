//go:build linux

package proc

import (
	"bytes"
	"debug/elf"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
)

// Some programs move their code into anonymous memory at the same addresses, to have it on huge pages:
// Node with --use-largepages, programs with Intel's iodlr, ClickHouse. The code is the file's, although the
// mapping does not name it. The mappings of the rest of the file, next to it, lead to the file.

// mappingList holds the executable mappings of a process and, of those in anonymous memory, the mappings
// of files next to them.
type mappingList struct {
	all   []Mapping
	files map[int]*neighbors // by index in all

	last    []byte       // line of the last mapping of a file
	pending []*neighbors // of mappings after which no mapping of a file has come
}

// neighbors are the mappings of files before and after a mapping; Inode is 0 if there is none.
type neighbors struct{ before, after Mapping }

// maxMoved bounds the mappings whose neighbors are read. Programs that move their code have some ten.
const maxMoved = 64

// add adds a mapping if it is executable. line is its line in the list; it may be reused after the call.
func (l *mappingList) add(m Mapping, line []byte) {
	if m.Inode != 0 && !(m.Exec && m.Anonymous()) {
		for _, n := range l.pending {
			n.after = parseNeighbor(line)
		}
		l.pending, l.last = l.pending[:0], append(l.last[:0], line...)
	}
	if !m.Exec {
		return
	}
	if m.Anonymous() && len(l.files) < maxMoved {
		if l.files == nil {
			l.files = map[int]*neighbors{}
		}
		n := &neighbors{before: parseNeighbor(l.last)}
		l.files[len(l.all)] = n
		l.pending = append(l.pending, n)
	}
	l.all = append(l.all, m)
}

// parseNeighbor parses the line of a mapping. It returns an empty one if there is none.
func parseNeighbor(line []byte) Mapping {
	m, err := parseMapping(line, nil)
	if err != nil {
		return Mapping{}
	}
	return m
}

// maxMovedTime bounds the time for reading the files of neighbors, which the target's file systems may
// delay. A file takes some 100 µs.
const maxMovedTime = time.Second

// findMovedCode replaces the mappings of code that was moved by what they would be in the file. It opens
// no more files after until.
func (p *Process) findMovedCode(l *mappingList, until time.Time) {
	type fileID struct {
		dev   string
		inode uint64
	}
	known := map[fileID][]elf.ProgHeader{} // nil if the file is not an object
	for i, n := range l.files {
		m := &l.all[i]
		for _, file := range []Mapping{n.before, n.after} {
			id := fileID{file.Dev, file.Inode}
			if file.Inode == 0 || id == (fileID{m.Dev, m.Inode}) {
				continue
			}
			headers, ok := known[id]
			if !ok {
				headers = p.loadSegments(file, until)
				known[id] = headers
			}
			if offset, ok := p.offsetIn(file, headers, *m, until); ok {
				m.Offset, m.Dev, m.Inode, m.Path = offset, file.Dev, file.Inode, file.Path
				m.Neighbor = AddressRange{file.Start, file.End}
				break
			}
		}
	}
}

// openUntil opens the file of a mapping, reads of which fail after until.
func (p *Process) openUntil(m Mapping, until time.Time) (*File, error) {
	if !time.Now().Before(until) {
		return nil, os.ErrDeadlineExceeded
	}
	f, err := p.OpenMapping(m)
	if err != nil {
		return nil, err
	}
	f.timeLeft = min(f.timeLeft, time.Until(until))
	return f, nil
}

// loadSegments returns the headers of the segments that are loaded of a mapping's object; nil if it is not
// an object.
func (p *Process) loadSegments(m Mapping, until time.Time) (all []elf.ProgHeader) {
	f, err := p.openUntil(m, until)
	if err != nil {
		return nil
	}
	defer f.Close()
	o, err := object.Open(f)
	if err != nil {
		return nil
	}
	for _, s := range o.Segments {
		if s.Type == elf.PT_LOAD {
			all = append(all, s.ProgHeader)
		}
	}
	return all
}

// offsetIn returns the offset in a file of the code that m has been moved from. It returns false unless m
// lies where the code would be mapped, according to another mapping of the file, and has its content.
func (p *Process) offsetIn(file Mapping, segments []elf.ProgHeader, m Mapping, until time.Time) (uint64, bool) {
	for _, mapped := range segments {
		bias, ok := object.Bias(mapped, file.Start, file.Offset)
		if !ok {
			continue
		}
		for _, code := range segments {
			start, end := m.Start-bias, min(m.End-bias, code.Vaddr+code.Filesz)
			if code.Flags&elf.PF_X == 0 || start+object.MaxPage <= code.Vaddr || start >= end {
				continue
			}
			offset := start - code.Vaddr + code.Off
			if p.sameContent(m.Start, file, offset, end-start, until) {
				return offset, true
			}
		}
	}
	return 0, false
}

// comparedBytes is how much is compared at each of three places.
const comparedBytes = 4096

// sameContent reports whether memory has the content of a part of a file. It compares some bytes at the
// start, in the middle and at the end. Programs change some instructions of their code, so 9 of 10 bytes
// must be the same. Memory that may not be read is assumed to be the same.
func (p *Process) sameContent(address uint64, mapped Mapping, offset, size uint64, until time.Time) bool {
	f, err := p.openUntil(mapped, until)
	if err != nil {
		return false
	}
	defer f.Close()
	total, same := 0, 0
	length := min(size, comparedBytes)
	for _, at := range []uint64{0, (size - length) / 2, size - length} {
		memory, file := make([]byte, length), make([]byte, length)
		if err := ReadMemory(p.PID, address+at, memory); err != nil {
			return errors.Is(err, unix.EPERM) || errors.Is(err, os.ErrPermission)
		}
		if n, _ := f.ReadAt(file, int64(offset+at)); n < len(file) {
			return false
		}
		if len(bytes.Trim(file, "\x00")) == 0 {
			continue // padding
		}
		for i := range memory {
			if memory[i] == file[i] {
				same++
			}
		}
		total += len(memory)
	}
	return total > 0 && 10*same >= 9*total
}
