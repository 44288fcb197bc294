//go:build linux

package golang

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// batch reads several goroutines with few system calls, which dominate the cost.
type batch struct {
	gs           *GoroutineReader
	unchanged    func(address, fingerprint uint64) bool
	visit        func(*Goroutine)
	raw          []byte // of all runtime.g
	data         []byte // of the stacks, and of the second read of runtime.g
	parts        []proc.MemoryPart
	pending      []reading
	pendingBytes int // of the stacks of pending
	out          Goroutine

	first, second, stack []byte // of the goroutine that retry reads
}

// maxBad is the number of entries that need not point to goroutines. In programs it is a few, which
// are just being created.
const maxBad = 1024

// checkBad returns an error if so many entries do not point to goroutines that the list is not one.
func (gs *GoroutineReader) checkBad() error {
	if gs.Bad > maxBad && gs.Bad > gs.Seen {
		return fmt.Errorf("%w: %d entries of the list of goroutines do not point to goroutines", ErrTorn, gs.Bad)
	}
	return nil
}

// read reads the goroutines at the addresses and visits them.
func (b *batch) read(addresses []uint64) error {
	gs, size := b.gs, b.gs.layout.size()
	gs.labels.forget()
	b.raw = resize(b.raw, size*len(addresses))
	b.parts = b.parts[:0]
	for i, a := range addresses {
		b.parts = append(b.parts, proc.MemoryPart{Address: a, Bytes: b.raw[size*i : size*(i+1)]})
	}
	read, err := gs.runtime.tryRead(b.parts)
	if err != nil {
		return err
	}
	for i, a := range addresses {
		if err := gs.checkBad(); err != nil {
			return err
		}
		g := rawG(b.raw[size*i : size*(i+1)])
		if !isPointer(a) {
			gs.Bad++
			continue
		}
		r := reading{address: a}
		if read[i] && g.check(gs.layout, gs.runtime.minor, a) == nil { // else it may be just being created
			if g.isDead(gs.layout) {
				continue
			}
			if b.unchanged != nil && !g.runsOnCPU(gs.layout) && b.unchanged(a, maphash.Bytes(gs.seed, g)) {
				gs.Seen++
				continue
			}
			r.g = g
			if err := gs.locateStack(&r); err != nil {
				return err
			}
		}
		b.pending = append(b.pending, r)
		if b.pendingBytes += r.stackBytes; b.pendingBytes > stackBytesPerBatch {
			if err := b.flush(); err != nil {
				return err
			}
		}
	}
	return b.flush()
}

// flush reads the stacks of the pending goroutines, and each runtime.g again to detect changes in
// between.
func (b *batch) flush() error {
	pending, l, stopped := b.pending, b.gs.layout, b.gs.Stopped != nil
	b.pending, b.pendingBytes = b.pending[:0], 0
	total := l.size() * len(pending)
	for _, r := range pending {
		total += r.stackBytes
	}
	b.data = resize(b.data, total)
	rest := b.data
	b.parts = b.parts[:0]
	slices.SortFunc(pending, func(a, b reading) int { return cmp.Compare(a.stack, b.stack) }) // neighbours are read as one
	add := func(address uint64, n int) {
		b.parts, rest = append(b.parts, proc.MemoryPart{Address: address, Bytes: rest[:n]}), rest[n:]
	}
	for _, r := range pending { // the kernel reads the parts in this order: stacks first
		add(r.stack, r.stackBytes)
	}
	if !stopped {
		for _, r := range pending {
			add(r.address, l.size())
		}
	}
	read, err := b.gs.runtime.tryRead(b.parts)
	if err != nil {
		return err
	}
	for i := range pending {
		r, again := &pending[i], len(pending)+i
		done := r.g != nil && read[i] && (stopped || read[again] && r.g.hasNotRun(l, b.parts[again].Bytes))
		if done {
			done, err = b.deliver(r, b.parts[i].Bytes, stopped)
		}
		if err == nil && !done {
			err = b.retry(r.address)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// retry reads one goroutine alone. That takes less time, so a change in between is less likely.
func (b *batch) retry(address uint64) error {
	gs, l := b.gs, b.gs.layout
	var last rawG
	for try := range maxTries {
		if err := gs.checkBad(); err != nil {
			return err
		}
		gs.Tries++
		b.first = resize(b.first, l.size())
		first := rawG(b.first)
		if gs.runtime.read(address, first) != nil {
			gs.Bad++
			return nil
		}
		if first.check(l, gs.runtime.minor, address) != nil {
			continue
		}
		if first.isDead(l) {
			return nil
		}
		last = append(last[:0], first...)
		r := reading{address: address, g: first}
		if err := gs.locateStack(&r); err != nil {
			return err
		}
		b.second, b.stack = resize(b.second, l.size()), resize(b.stack, r.stackBytes)
		stack, second := b.stack, rawG(b.second)
		read, err := gs.runtime.tryRead([]proc.MemoryPart{{Address: r.stack, Bytes: stack}, {Address: address, Bytes: second}})
		if err != nil {
			return err
		}
		if !read[0] || !read[1] || !first.hasNotRun(l, second) {
			continue
		}
		if done, err := b.deliver(&r, stack, try > 0); done || err != nil {
			return err
		}
	}
	if last == nil {
		gs.Bad++
		return nil
	}
	gs.Torn++
	gs.Seen++
	b.fill(&reading{address: address, g: last})
	b.out.End = Torn
	if !gs.unwind.isSystem(last.word(l.startpc), nil) {
		b.visit(&b.out)
	}
	return nil
}

// deliver visits a goroutine that was read consistently. It returns false if the goroutine is not
// running and its stack pointer is outside its stack, which happens while the runtime moves the
// stack. The old stack stays intact until g.stack describes the new one, which is complete by then
// (copystack, runtime/stack.go). Without acceptBroken it returns false for a broken stack, too: if this
// process was not on a CPU in between, a goroutine may have run so often that trackingSeq, which has 8
// bits, is the same again.
func (b *batch) deliver(r *reading, stack []byte, acceptBroken bool) (bool, error) {
	gs, g := b.gs, &b.out
	if r.g.status(gs.layout) != Running && r.stackBytes == 0 {
		return false, nil
	}
	b.fill(r)
	if r.stackBytes > 0 {
		g.Stack, g.End = gs.unwind.walk(g.Stack, r.registers, stack, r.stack, r.stack+uint64(r.stackBytes) < g.StackEnd)
		if g.End == Broken && !acceptBroken {
			return false, nil
		}
	}
	if gs.unwind.isSystem(r.g.word(gs.layout.startpc), g.Stack) {
		gs.Seen++
		return true, nil
	}
	var whole bool
	var err error
	if g.Labels, whole, err = gs.labels.read(gs.runtime, r.g.word(gs.layout.labels)); err != nil {
		return false, err
	}
	if !whole {
		gs.CutLabels++
	}
	gs.Seen++
	b.visit(g)
	return true, nil
}

// fill sets the fields of out that come from the runtime.g alone.
func (b *batch) fill(r *reading) {
	gs, l, g := b.gs, b.gs.layout, &b.out
	*g = Goroutine{
		Address: r.address, ID: r.g.word(l.goid), Status: r.g.status(l), Created: r.g.word(l.gopc), Thread: r.thread,
		StackLow: r.g.word(gStackLow), StackEnd: r.g.word(gStackEnd), Stack: g.Stack[:0], End: NoStack,
		Fingerprint: maphash.Bytes(gs.seed, r.g),
	}
	if l.parentGoid != 0 {
		g.Parent = r.g.word(l.parentGoid)
	}
	if g.Created != 0 && g.ID != 1 { // the program's entry code creates the first goroutine
		g.Creator, g.CreatedAt = gs.unwind.functionName(g.Created), gs.unwind.callLine(g.Created)
	}
	if waiting := g.Status == Waiting || g.Status == Leaked; waiting || g.Status == Syscall {
		g.Since = int64(r.g.word(l.waitsince))
		if reason := int(r.g[l.waitreason]); waiting && reason < len(gs.waitReasons) {
			g.Reason = gs.waitReasons[reason]
		}
	}
}

// resize returns a slice of n bytes, which is b's if that is large enough.
func resize(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}
