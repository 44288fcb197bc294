//go:build linux

package golang

import (
	"encoding/binary"
	"errors"
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

// checkFirst checks that the first entries of the list point to goroutines, and sets InLibrary. It checks more
// entries if the version of Go is newer than the known ones.
func (gs *GoroutineReader) checkFirst() error {
	a, err := gs.readAllgs()
	if err != nil {
		return err
	}
	addresses, err := gs.readPointers(a, 0, nil)
	if err != nil {
		return err
	}
	started := 0
	for i, address := range addresses[:min(len(addresses), gs.runtime.goroutinesToCheck())] {
		g := make(rawG, gs.layout.size())
		err := errors.New("not read")
		for tries := 0; err != nil && tries < maxTries; tries++ { // a goroutine may change while it is read
			if !isPointer(address) || gs.runtime.read(address, g) != nil {
				return fmt.Errorf("%w: entry %d of its list of goroutines does not point to memory", ErrUnsupported, i)
			}
			err = g.check(gs.layout, gs.runtime.minor, address)
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrUnsupported, err)
		}
		id, start := g.word(gs.layout.goid), g.word(gs.layout.startpc)
		function := gs.unwind.stepAt(start)
		if i == 0 {
			ended := g.isDead(gs.layout) || id != 1
			mode := gs.runtime.buildMode() // a program's first goroutine may call runtime.Goexit
			gs.InLibrary = ended && mode != "exe" && mode != "pie"
		}
		switch {
		case g.isDead(gs.layout), start == 0: // those of threads that C created have no start function
		case (id == 1) != (function.Name == "runtime.main"):
			return fmt.Errorf("%w: goroutine %d in its list has the start function %q", ErrUnsupported, id, function.Name)
		case !function.ok || function.Entry != start:
			return fmt.Errorf("%w: goroutine %d in its list starts at %#x, where no function begins", ErrUnsupported, id, start)
		default:
			started++
		}
	}
	if started == 0 {
		return fmt.Errorf("%w: none of the first goroutines in its list has a start function", ErrUnsupported)
	}
	return nil
}
