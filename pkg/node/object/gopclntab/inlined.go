package gopclntab

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Numbers of tables (internal/abi/symtab.go).
const (
	pcdataInlTreeIndex = 2
	funcdataInlTree    = 3
)

// inlinedCall is an entry of a function's inline tree.
type inlinedCall struct {
	pc, parent uint64 // an address in the inlined code, and one that represents its call in the caller
	name       uint32
	id         uint8
	start      int32
}

// inlined iterates over the inlined calls at an address, innermost first (runtime/symtabinl.go).
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

// inlineTree returns the address of the function's inline tree, if it has one.
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

// pcdata returns the value for an address in one of the function's pcdata tables, or -1 if there is
// none.
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

// inlinedCall reads a runtime.inlinedCall: funcID _ nameOff parentPc startLine, 16 bytes; up to Go
// 1.19 parent funcID _ file line func parentPc, 20 bytes.
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
