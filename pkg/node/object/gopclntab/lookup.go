package gopclntab

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// Frame is a function at an address.
type Frame struct {
	Name      string // the linker's name of the function
	File      string
	Line      int // of the address, or of the call of the frame inlined into this one
	StartLine int // of the function's declaration; 0 if unknown
	Inlined   bool
	Wrapper   bool // made by the compiler, not shown by runtime/pprof
}

// Numbers of tables, from internal/abi/symtab.go.
const (
	pcdataInlTreeIndex = 2
	funcdataInlTree    = 3
)

// Lookup gives the functions at an address of the file's own numbering, those inlined there first and
// their callers after; io.EOF if the address is in none.
func (t *Table) Lookup(pc uint64) ([]Frame, error) {
	f, err := t.find(pc)
	if err != nil {
		return nil, err
	}
	var frames []Frame
	for call, err := range t.inlined(f, pc) {
		if err != nil {
			// The function itself is still right; only what was inlined stays unknown.
			frames = frames[:0]
			break
		}
		frame, err := t.frame(f, call.pc, call.name, call.id, call.start)
		if err != nil {
			return nil, err
		}
		frame.Inlined = true
		frames = append(frames, frame)
		pc = call.parent
	}
	outer, err := t.frame(f, pc, f.name, f.id, f.start)
	if err != nil {
		return nil, err
	}
	return append(frames, outer), nil
}

func (t *Table) frame(f *function, pc uint64, name uint32, id uint8, start int32) (Frame, error) {
	text, err := t.image.text(t.names + uint64(name))
	if err != nil {
		return Frame{}, err
	}
	frame := Frame{Name: text, StartLine: max(0, int(start)), Wrapper: isWrapper(id, text)}
	// The function is right also where its tables are not.
	if frame.File, err = t.file(f, pc); err != nil {
		return frame, nil
	}
	if line, err := t.pcvalue(f.pcln, f, pc); err == nil {
		frame.Line = max(0, int(line))
	}
	return frame, nil
}

// isWrapper goes by the number that the runtime knows functions by. That of wrappers is the highest of
// all: 21, from Go 1.22 22, from Go 1.25 23 (internal/abi/symtab.go, FuncIDWrapper). The functions that
// got the lower of these numbers in later versions are told by their names.
func isWrapper(id uint8, name string) bool {
	const lowest = 21
	switch name {
	case "runtime.sigpanic", "runtime.systemstack", "runtime.systemstack_switch":
		return false
	}
	return id >= lowest
}

// file looks up the file's number in the function's compilation unit, and its name by that.
func (t *Table) file(f *function, pc uint64) (string, error) {
	number, err := t.pcvalue(f.pcfile, f, pc)
	if err != nil || number < 0 || f.unit == math.MaxUint32 {
		return "", err
	}
	var raw [4]byte
	if err := t.image.read(raw[:], t.units+4*(uint64(f.unit)+uint64(number))); err != nil {
		return "", err
	}
	offset := binary.LittleEndian.Uint32(raw[:])
	if offset == math.MaxUint32 {
		return "", nil
	}
	return t.image.text(t.files + uint64(offset))
}

// inlinedCall is one entry of a function's inline tree, at an address.
type inlinedCall struct {
	pc, parent uint64 // an address in the inlined code, and one at its call in the caller
	name       uint32
	id         uint8
	start      int32
}

// inlined walks the inline tree outwards from an address (runtime/symtabinl.go).
func (t *Table) inlined(f *function, pc uint64) func(yield func(inlinedCall, error) bool) {
	return func(yield func(inlinedCall, error) bool) {
		tree, ok := t.inlineTree(f)
		if !ok {
			return
		}
		for range maxInline {
			index, err := t.pcdata(f, pcdataInlTreeIndex, pc)
			if err == nil && index < 0 {
				return
			}
			var call inlinedCall
			if err == nil {
				call, err = t.inlinedCall(f, tree, uint64(index))
			}
			call.pc = pc
			if err != nil {
				yield(call, err)
				return
			}
			if !yield(call, nil) {
				return
			}
			pc = call.parent
		}
		yield(inlinedCall{}, fmt.Errorf("more than %d inlined calls at one address", maxInline))
	}
}

// inlineTree is the address of the function's inline tree.
func (t *Table) inlineTree(f *function) (uint64, bool) {
	if t.gofunc == 0 || f.nfunc <= funcdataInlTree {
		return 0, false
	}
	var raw [4]byte
	if err := t.image.read(raw[:], f.tables+4*uint64(f.npc)+4*funcdataInlTree); err != nil {
		return 0, false
	}
	offset := binary.LittleEndian.Uint32(raw[:])
	return t.gofunc + uint64(offset), offset != math.MaxUint32
}

// pcdata is a value of one of the function's tables at an address; -1 if there is none.
func (t *Table) pcdata(f *function, table uint32, pc uint64) (int32, error) {
	if table >= f.npc {
		return -1, nil
	}
	var raw [4]byte
	if err := t.image.read(raw[:], f.tables+4*uint64(table)); err != nil {
		return 0, err
	}
	return t.pcvalue(binary.LittleEndian.Uint32(raw[:]), f, pc)
}

// inlinedCall reads runtime.inlinedCall: funcID _ nameOff parentPc startLine, 16 bytes; up to Go 1.19
// parent funcID _ file line func parentPc, 20 bytes.
func (t *Table) inlinedCall(f *function, tree, index uint64) (inlinedCall, error) {
	var raw [20]byte
	if t.magic == magic118 {
		if err := t.image.read(raw[:], tree+20*index); err != nil {
			return inlinedCall{}, err
		}
		return inlinedCall{
			id: raw[2], name: binary.LittleEndian.Uint32(raw[12:]), parent: f.entry + uint64(binary.LittleEndian.Uint32(raw[16:])),
		}, nil
	}
	if err := t.image.read(raw[:16], tree+16*index); err != nil {
		return inlinedCall{}, err
	}
	return inlinedCall{
		id: raw[0], name: binary.LittleEndian.Uint32(raw[4:]), parent: f.entry + uint64(binary.LittleEndian.Uint32(raw[8:])),
		start: int32(binary.LittleEndian.Uint32(raw[12:])),
	}, nil
}

// Entry gives the first address of the function at an address, and its name; io.EOF if it is in none.
func (t *Table) Entry(pc uint64) (entry uint64, name string, err error) {
	f, err := t.find(pc)
	if err != nil {
		return 0, "", err
	}
	name, err = t.image.text(t.names + uint64(f.name))
	return f.entry, name, err
}

// StackDelta is how far the stack pointer at an address is below its place at the function's entry, in bytes.
func (t *Table) StackDelta(pc uint64) (int32, error) {
	f, err := t.find(pc)
	if err != nil {
		return 0, err
	}
	delta, err := t.pcvalue(f.pcsp, f, pc)
	if err == nil && delta < 0 {
		err = io.EOF
	}
	return delta, err
}
