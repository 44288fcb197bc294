//go:build linux

package golang

import (
	"cmp"
	"hash/maphash"
	"slices"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// batch reads some goroutines together: system calls are what takes the time.
type batch struct {
	gs      *GoroutineReader
	known   func(address, fingerprint uint64) bool
	visit   func(*Goroutine)
	raw     []byte // of the goroutines
	data    []byte // of stacks, and of the goroutines again
	parts   []proc.MemoryPart
	pending []reading
	bytes   int // of the stacks of pending
	out     Goroutine
}

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
		g := rawG(b.raw[size*i : size*(i+1)])
		if !isPointer(a) {
			gs.Bad++
			continue
		}
		r := reading{address: a}
		if read[i] && g.check(gs.layout, gs.runtime.minor, a) == nil { // else it is perhaps just being made
			if g.dead(gs.layout) {
				continue
			}
			if b.known != nil && !gs.runsOnCPU(g) && b.known(a, maphash.Bytes(gs.seed, g)) {
				gs.Seen++
				continue
			}
			r.g = g
			if err := gs.locateStack(&r); err != nil {
				return err
			}
		}
		b.pending = append(b.pending, r)
		if b.bytes += r.bytes; b.bytes > stackBytesAtATime {
			if err := b.flush(); err != nil {
				return err
			}
		}
	}
	return b.flush()
}

func resize(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

// flush reads the stacks of those that are pending, and looks whether they have changed meanwhile.
func (b *batch) flush() error {
	pending, size, stopped := b.pending, b.gs.layout.size(), b.gs.Stopped != nil
	b.pending, b.bytes = b.pending[:0], 0
	total := size * len(pending)
	for _, r := range pending {
		total += r.bytes
	}
	b.data = resize(b.data, total)
	rest := b.data
	b.parts = b.parts[:0]
	slices.SortFunc(pending, func(a, b reading) int { return cmp.Compare(a.at, b.at) }) // neighbours are read as one
	part := func(address uint64, n int) {
		b.parts, rest = append(b.parts, proc.MemoryPart{Address: address, Bytes: rest[:n]}), rest[n:]
	}
	for _, r := range pending { // the kernel reads them in this order
		part(r.at, r.bytes)
	}
	if !stopped {
		for _, r := range pending {
			part(r.address, size)
		}
	}
	read, err := b.gs.runtime.tryRead(b.parts)
	if err != nil {
		return err
	}
	for i := range pending {
		r, again := &pending[i], len(pending)+i
		done := r.g != nil && read[i] && (stopped || read[again] && b.gs.unchanged(r.g, b.parts[again].Bytes))
		if done {
			done, err = b.deliver(r, b.parts[i].Bytes)
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

// retry reads one goroutine alone, which takes less time.
func (b *batch) retry(address uint64) error {
	gs, l := b.gs, b.gs.layout
	var last rawG
	for range maxTries {
		gs.Tries++
		first := make(rawG, l.size())
		if gs.runtime.read(address, first) != nil {
			gs.Bad++
			return nil
		}
		if first.check(l, gs.runtime.minor, address) != nil {
			continue
		}
		if first.dead(l) {
			return nil
		}
		last = first
		r := reading{address: address, g: first}
		if err := gs.locateStack(&r); err != nil {
			return err
		}
		stack, now := make([]byte, r.bytes), make(rawG, l.size())
		read, err := gs.runtime.tryRead([]proc.MemoryPart{{Address: r.at, Bytes: stack}, {Address: address, Bytes: now}})
		if err != nil {
			return err
		}
		if !read[0] || !read[1] || !gs.unchanged(first, now) {
			continue
		}
		if done, err := b.deliver(&r, stack); done || err != nil {
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

// deliver gives a goroutine that was read whole to the visitor; it gives false if it has no stack that can be read,
// though it does not run. While a stack is moved the old one is whole until g.stack tells of the new one, which then is
// (copystack, runtime/stack.go).
func (b *batch) deliver(r *reading, stack []byte) (bool, error) {
	gs, g := b.gs, &b.out
	if r.g.status(gs.layout) != Running && r.bytes == 0 { // its stack pointer is of another moment than its stack
		return false, nil
	}
	b.fill(r)
	if r.bytes > 0 {
		g.Stack, g.End = gs.unwind.walk(g.Stack, r.registers, stack, r.at, r.at+uint64(r.bytes) < g.StackEnd)
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

// fill takes over what stands in a runtime.g itself.
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
	if g.Created != 0 && g.ID != 1 { // the first is made by the program's entry
		g.Creator, g.CreatedAt = gs.unwind.functionName(g.Created), gs.unwind.lineOfCall(g.Created)
	}
	if waiting := g.Status == Waiting || g.Status == Leaked; waiting || g.Status == Syscall {
		g.Since = int64(r.g.word(l.waitsince))
		if reason := int(r.g[l.waitreason]); waiting && reason < len(gs.reasons) {
			g.Reason = gs.reasons[reason]
		}
	}
}
