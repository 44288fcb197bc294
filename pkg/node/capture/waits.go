//go:build linux

package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// waits knows what the BPF program at switches of threads (bpf/waits.bpf.c) adds up. It sends each stack once, with a
// serial number; what was waited there stands in its map of threads, and is told once more when the place is given up.
type waits struct {
	maps      waitMaps
	link      link.Link
	known     map[uint64]*wait   // by serial number
	groups    map[uint64]*group  // by the first one's serial number
	standIns  map[uint64]*sample // threads that sleep, of which the user's stack is still to come
	processes []proc.Process     // of the target, when it was loaded

	begin, end uint64 // of the capture, in ns of CLOCK_MONOTONIC
	lost       amount // waits whose stack, or whose sum, found no room
	unknown    uint64 // threads that slept and of which nothing could be learnt
}

type waitMaps struct {
	bpf.CPUMaps                // those that both have are the same
	Threads      *ebpf.Map     `ebpf:"threads"`
	Controls     *ebpf.Map     `ebpf:"controls"`
	Accounts     *ebpf.Map     `ebpf:"accounts"`
	Switched     *ebpf.Program `ebpf:"switched"`
	Unwind       *ebpf.Program `ebpf:"unwind"`
	ListSleepers *ebpf.Program `ebpf:"list_sleepers"`
}

// wait is a stack that came.
type wait struct {
	entry  *stackEntry // nil if there was no room for it, or nobody wants it
	wanted bool
	seen   amount // how much of what was waited there is in the entry
	group  *group
	// byChance: it stands for others of the group.
	byChance bool
}

// loadWaits loads the program at switches. Where events are sampled too it shares their maps.
func (c *Sampler) loadWaits(spec *ebpf.CollectionSpec, t *target) error {
	processes, err := proc.InContainer(c.options.ContainerID)
	if err != nil {
		return err
	}
	spec.Maps[bpf.WaitsMapThreads].MaxEntries = roomForThreads(processes)
	w := &waits{known: map[uint64]*wait{}, groups: map[uint64]*group{}, standIns: map[uint64]*sample{}, processes: processes}
	shared := map[string]*ebpf.Map{}
	if c.maps.Samples != nil {
		shared = map[string]*ebpf.Map{
			bpf.CPUMapSamples: c.maps.Samples, bpf.CPUMapLost: c.maps.Lost, bpf.CPUMapUnwindChunks: c.maps.UnwindChunks,
			bpf.CPUMapUnwindRules: c.maps.UnwindRules, bpf.CPUMapUnwindRanges: c.maps.UnwindRanges,
			bpf.CPUMapUnwindProcesses: c.maps.UnwindProcesses,
		}
	}
	if err := spec.LoadAndAssign(&w.maps, &ebpf.CollectionOptions{MapReplacements: shared}); err != nil {
		return err
	}
	c.waits = w
	scheduler() // before the capture begins
	programs := w.maps.ProgramsByIndex
	if len(shared) == 0 {
		c.maps, w.maps.CPUMaps = w.maps.CPUMaps, bpf.CPUMaps{}
		c.useMaps(spec)
	}
	if err := programs.Put(uint32(0), w.maps.Unwind); err != nil {
		return err
	}
	w.link, err = link.AttachTracing(link.TracingOptions{Program: w.maps.Switched})
	return err
}

// Bounds on the map of threads, whose entries have some 400 bytes.
const (
	minThreads = 2048
	maxThreads = 1 << 15
)

// roomForThreads is for four times those that there are.
func roomForThreads(processes []proc.Process) uint32 {
	n := 0
	for _, p := range processes {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", p.PID)) // gone: none
		n += len(tasks)
	}
	return uint32(min(max(4*n, minThreads), maxThreads))
}

// enable begins or ends the capture.
func (w *waits) enable(c *Sampler, on bool) error {
	if !on {
		c.mu.Lock()
		w.end = monotonic()
		c.mu.Unlock()
		return w.control(bpf.WaitsControl{Begin: w.begin, End: w.end})
	}
	c.mu.Lock()
	w.begin = monotonic()
	c.mu.Unlock()
	if err := w.control(bpf.WaitsControl{Begin: w.begin}); err != nil {
		return err
	}
	return w.findSleepers(c)
}

func (w *waits) control(k bpf.WaitsControl) error {
	if err := w.maps.Controls.Put(uint32(0), k); err != nil {
		return fmt.Errorf("tell the BPF program what to do: %w", err)
	}
	return nil
}

// ended takes in struct waited_record of bpf/sample.h: all that was waited with a stack.
func (w *waits) ended(c *Sampler, raw []byte) {
	var r bpf.CPUWaitedRecord
	if len(raw) < int(unsafe.Sizeof(r)) {
		c.stacks.dropped++
		return
	}
	order := binary.NativeEndian
	serial := order.Uint64(raw[unsafe.Offsetof(r.Serial):])
	total := amount{int64(order.Uint32(raw[unsafe.Offsetof(r.Count):])), int64(order.Uint64(raw[unsafe.Offsetof(r.Time):]))}
	if kindOf(raw) == bpf.CPURecordKindRECORD_REST {
		if g := w.groups[serial]; g != nil {
			w.addRest(c, g, total)
			w.shareOut(c, g)
			delete(w.known, g.last) // if it was told no sum of it
			delete(w.groups, serial)
			return
		}
	} else if one := w.known[serial]; one != nil {
		w.add(c, one, total)
		delete(w.known, serial)
		return
	}
	w.lose(total)
}

func (w *waits) lose(a amount) {
	w.lost.count += a.count
	w.lost.value += a.value
}

// add adds what is new of all that was waited with a stack. Less than what was seen is the shadow of a change while
// the map was read; it comes right with the next time.
func (w *waits) add(c *Sampler, one *wait, total amount) {
	more := total.minus(one.seen)
	if !one.wanted || more.value <= 0 || more.count < 0 {
		return
	}
	one.seen = total
	if one.entry == nil {
		w.lose(more)
		return
	}
	w.give(c, one.entry, more)
	one.group.add(one, more)
}

func (w *waits) give(c *Sampler, e *stackEntry, a amount) {
	c.stacks.add(e, a, 0)
	c.kept.Add(uint64(a.count))
}

// gather reads what was waited until now, by threads that still wait too. At the end nothing is on its way any more.
func (w *waits) gather(c *Sampler, atEnd bool) error {
	now := monotonic()
	if w.end != 0 {
		now = w.end
	}
	threads := w.maps.Threads.Iterate()
	var tid uint32
	var t bpf.WaitsThread
	for threads.Next(&tid, &t) {
		for i, p := range t.Place {
			total, rest := amount{int64(p.Count), int64(p.Time)}, amount{int64(p.RestCount), int64(p.RestTime)}
			if t.Since != 0 && t.At == uint32(i) && now > t.Since {
				goesOn := &total
				if t.Walked == 0 {
					goesOn = &rest
				}
				goesOn.count++
				goesOn.value += int64(now - t.Since)
			}
			if one := w.known[p.Serial]; one != nil {
				w.add(c, one, total)
			} else if atEnd {
				w.lose(total)
			}
			if g := w.groups[p.Group]; g != nil {
				w.addRest(c, g, rest)
				if atEnd || g.chosen.waits >= manyWaits {
					w.shareOut(c, g)
				}
			} else if atEnd {
				w.lose(rest)
			}
		}
	}
	if err := threads.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) {
		return fmt.Errorf("read the waits of threads: %w", err)
	}
	return nil
}

// describe says in comments what was not seen.
func (w *waits) describe(b *profileBuilder) {
	var perCPU []bpf.WaitsAccount
	lost, noRoom := w.lost, uint64(0)
	if w.maps.Accounts.Lookup(uint32(0), &perCPU) == nil { // else what is known
		for _, a := range perCPU {
			lost.count += int64(a.LostWaits)
			lost.value += int64(a.LostTime)
			noRoom += a.NoRoom
		}
	}
	b.comment("lost waits: %d, of %v", lost.count, time.Duration(lost.value))
	if w.unknown > 0 {
		b.comment("threads that slept from the beginning and could not be read: %d", w.unknown)
	}
	if noRoom > 0 {
		b.comment("switches of threads without room: %d", noRoom)
	}
}

func (w *waits) close() error {
	var errs []error
	if w.link != nil {
		errs = append(errs, w.link.Close())
	}
	errs = append(errs, w.maps.Switched.Close(), w.maps.Unwind.Close(), w.maps.ListSleepers.Close(),
		w.maps.Threads.Close(), w.maps.Controls.Close(), w.maps.Accounts.Close(), w.maps.CPUMaps.Close())
	return errors.Join(errs...)
}
