//go:build linux

package unwindmaps

import (
	"cmp"
	"slices"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/unwind"
)

// partWriter writes one part of a table after the other: an index block, then up to blockRows blocks.
type partWriter struct {
	*Tables
	index   bpf.CPUUnwindBlock
	pending []bpf.CPUUnwindBlock // the last of the part's blocks
	rows    int                  // of the part
	written int                  // number of its blocks in the kernel
	last    unwind.Row           // of the part
	gaps    []gap                // the longest of the part so far, and some that may be shorter
}

// gap is a range of addresses of code without a description, such as what Go compiles: the unwinder follows its frame
// pointers. A long gap is left out of the ranges that refer to a table, because it takes the unwinder a dozen cache lines to
// find in the table that a gap has no rows. The 16 longest gaps of kube-apiserver are 99 % of its code.
type gap struct{ start, end uint64 }

const (
	minGap  = 16 << 10 // bytes
	maxGaps = 16       // in a part; each adds two ranges to those of a process
)

// addGap adds the range from the last row to an address if it is a long gap.
func (w *partWriter) addGap(base, end uint64) {
	start := base + uint64(w.last.Address)
	if w.rows == 0 || w.last.Rule != framePointerRule || end < start+minGap {
		return
	}
	if len(w.gaps) == 2*maxGaps {
		w.gaps = longest(w.gaps)
	}
	w.gaps = append(w.gaps, gap{start, end})
}

// longest returns the longest gaps in the order of their addresses.
func longest(gaps []gap) []gap {
	if len(gaps) > maxGaps {
		slices.SortFunc(gaps, func(a, b gap) int { return cmp.Compare(b.end-b.start, a.end-a.start) })
		gaps = gaps[:maxGaps]
	}
	slices.SortFunc(gaps, func(a, b gap) int { return cmp.Compare(a.start, b.start) })
	return gaps
}

// without splits a part at gaps.
func (p tablePart) without(gaps []gap) []tablePart {
	var parts []tablePart
	for _, g := range gaps {
		if before := p; g.start > p.start {
			before.end = g.start
			parts = append(parts, before)
		}
		p.start = g.end
	}
	if p.start < p.end {
		parts = append(parts, p)
	}
	return parts
}

// maxPending is how many blocks are written at once, 192 KiB.
const maxPending = 64

// add appends a row to the part. Addresses of rows are relative to base.
func (w *partWriter) add(row unwind.Row, base uint64) error {
	w.addGap(base, base+uint64(row.Address))
	block, at := w.rows/blockRows, w.rows%blockRows
	if w.rows == 0 {
		w.index, w.written = emptyBlock(), 0
	}
	if at == 0 {
		if len(w.pending) == maxPending {
			if err := w.flush(); err != nil {
				return err
			}
		}
		w.pending = append(w.pending, emptyBlock())
		w.index.Address[block] = row.Address
	}
	last := &w.pending[len(w.pending)-1]
	last.Address[at], last.Rule[at] = row.Address, row.Rule
	w.last = row
	w.rows++
	return nil
}

// flush writes the pending blocks behind the index block, which gets the next free number.
func (w *partWriter) flush() error {
	if err := w.loadRules(); err != nil {
		return err
	}
	if err := w.write(w.next+1+w.written, w.pending); err != nil {
		return err
	}
	w.written += len(w.pending)
	w.pending = w.pending[:0]
	return nil
}

// finish completes the part, which ends at an address, and adds it to the object.
func (w *partWriter) finish(o *objectTable, end, base uint64) error {
	if err := w.flush(); err != nil {
		return err
	}
	if err := w.write(w.next, []bpf.CPUUnwindBlock{w.index}); err != nil {
		return err
	}
	w.addGap(base, end)
	part := tablePart{start: base + uint64(w.index.Address[0]), end: end, base: base, index: uint32(w.next)}
	o.parts = append(o.parts, part.without(longest(w.gaps))...)
	w.gaps = nil
	w.next += 1 + w.written
	w.mu.Lock()
	w.stats.Rows += w.rows
	w.mu.Unlock()
	w.rows = 0
	return nil
}
