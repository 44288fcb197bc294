//go:build linux

package unwindmaps

import (
	"fmt"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
)

// write writes blocks, the first of which gets the given number.
func (t *Tables) write(first int, blocks []bpf.CPUUnwindBlock) error {
	for len(blocks) > 0 {
		perChunk := int(t.chunk.MaxEntries)
		number, at := first/perChunk, first%perChunk
		if err := t.grow(number); err != nil {
			return err
		}
		n := min(len(blocks), perChunk-at)
		keys := make([]uint32, n)
		for i := range keys {
			keys[i] = uint32(at + i)
		}
		if _, err := t.chunks[number].BatchUpdate(keys, blocks[:n], nil); err != nil {
			return fmt.Errorf("load unwind table: %w", err)
		}
		first += n
		blocks = blocks[n:]
	}
	return nil
}

func emptyBlock() bpf.CPUUnwindBlock {
	var b bpf.CPUUnwindBlock
	for i := range b.Address {
		b.Address[i] = noAddress
	}
	return b
}

// grow allocates the chunks up to the given number.
func (t *Tables) grow(number int) error {
	for len(t.chunks) <= number {
		if err := t.addChunk(); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tables) addChunk() error {
	number := len(t.chunks)
	if number >= int(t.maps.UnwindChunks.MaxEntries()) {
		return errTablesFull
	}
	m, err := newChunk(t.chunk, t.maps.UnwindChunks, uint32(number))
	if err != nil {
		return fmt.Errorf("allocate memory for unwind tables: %w", err)
	}
	t.chunks = append(t.chunks, m)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats.Bytes += int(t.chunk.MaxEntries * t.chunk.ValueSize)
	return nil
}
