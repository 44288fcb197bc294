//go:build linux

package golang

import (
	"encoding/binary"
	"fmt"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// allgs is the slice runtime.allgs: pointers to all runtime.g that were ever allocated.
type allgs struct{ address, len uint64 }

// readAllgs reads the slice's length and address in the order of atomicAllG (runtime/proc.go): the
// length first, because the array read after it has room for that many.
func (gs *GoroutineReader) readAllgs() (allgs, error) {
	var length, address [8]byte
	err := gs.runtime.memory.Read(proc.MemoryPart{Address: gs.allglen, Bytes: length[:]}, proc.MemoryPart{Address: gs.allgptr, Bytes: address[:]})
	if err != nil {
		return allgs{}, fmt.Errorf("list of goroutines: %w", err)
	}
	a := allgs{len: binary.LittleEndian.Uint64(length[:]), address: binary.LittleEndian.Uint64(address[:])}
	if !isPointer(a.address) || a.len == 0 || a.len > maxGoroutines {
		return allgs{}, fmt.Errorf("list of goroutines: %w: its length is %d, its address %#x", ErrTorn, a.len, a.address)
	}
	return a, nil
}

// readPointers appends up to goroutinesPerBatch pointers to out, beginning with number first. The
// list only grows. When its array is full the runtime copies it to a larger one, and the old array
// may be reused; the pointers are then read again from the new one.
func (gs *GoroutineReader) readPointers(a allgs, first uint64, out []uint64) ([]uint64, error) {
	raw := make([]byte, 8*min(a.len-first, goroutinesPerBatch))
	for range maxTries {
		err := gs.runtime.read(a.address+8*first, raw)
		now, allgsErr := gs.readAllgs()
		if allgsErr != nil {
			return nil, allgsErr
		}
		if now.address != a.address {
			a.address = now.address
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list of goroutines: %w", err)
		}
		for i := 0; i < len(raw); i += 8 {
			out = append(out, binary.LittleEndian.Uint64(raw[i:]))
		}
		return out, nil
	}
	return nil, fmt.Errorf("list of goroutines: %w: it moved during each of %d reads", ErrTorn, maxTries)
}

// checkFirst checks that the list begins with the goroutine of runtime.main and that its first
// eight entries point to goroutines.
func (gs *GoroutineReader) checkFirst() error {
	a, err := gs.readAllgs()
	if err != nil {
		return err
	}
	addresses, err := gs.readPointers(a, 0, nil)
	if err != nil {
		return err
	}
	for i, address := range addresses[:min(len(addresses), 8)] {
		g := make(rawG, gs.layout.size())
		if !isPointer(address) || gs.runtime.read(address, g) != nil {
			return fmt.Errorf("%w: entry %d of its list of goroutines does not point to memory", ErrUnsupported, i)
		}
		if err := g.check(gs.layout, gs.runtime.minor, address); err != nil {
			return fmt.Errorf("%w: %w", ErrUnsupported, err)
		}
		if start := gs.unwind.functionName(g.word(gs.layout.startpc)); i == 0 && (g.word(gs.layout.goid) != 1 || start != "runtime.main") {
			return fmt.Errorf("%w: its first goroutine has the ID %d and the start function %q", ErrUnsupported, g.word(gs.layout.goid), start)
		}
	}
	return nil
}
