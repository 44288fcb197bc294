//go:build linux

package capture

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// waits knows what the BPF program at switches of threads (bpf/waits.bpf.c) adds up. It sends each stack once, with a
// serial number; what was waited there stands in its map of threads, and is told once more when the place is given up.
type waits struct {
	host      waitsHost
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

// waitsHost is the sampler to which the waits belong. Its lock guards all that samples change, and is held by
// those who call the other methods.
type waitsHost interface {
	sync.Locker
	KeepSample(*sample)
	AddWaits(*stackEntry, amount)
}

type waitMaps struct {
	bpf.CPUMaps                // those that both have are the same
	Threads      *ebpf.Map     `ebpf:"threads"`
	Controls     *ebpf.Map     `ebpf:"controls"`
	CPUStates    *ebpf.Map     `ebpf:"cpu_states"`
	Switched     *ebpf.Program `ebpf:"on_sched_switch"`
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

// loadWaits loads the program at switches of threads. Its maps for samples and unwind tables are those of shared, if
// that is not nil.
func loadWaits(spec *ebpf.CollectionSpec, containerID string, shared *bpf.CPUMaps, host waitsHost) (*waits, error) {
	processes, err := proc.InContainer(containerID)
	if err != nil {
		return nil, err
	}
	spec.Maps[bpf.WaitsMapThreads].MaxEntries = roomForThreads(processes)
	w := newWaits(host)
	w.processes = processes
	replacements := map[string]*ebpf.Map{}
	if shared != nil {
		replacements = map[string]*ebpf.Map{
			bpf.CPUMapSamples: shared.Samples, bpf.CPUMapLost: shared.Lost, bpf.CPUMapUnwindChunks: shared.UnwindChunks,
			bpf.CPUMapUnwindRules: shared.UnwindRules, bpf.CPUMapUnwindRanges: shared.UnwindRanges,
			bpf.CPUMapUnwindProcesses: shared.UnwindProcesses,
		}
	}
	if err := spec.LoadAndAssign(&w.maps, &ebpf.CollectionOptions{MapReplacements: replacements}); err != nil {
		return nil, err
	}
	scheduler() // before the capture begins
	if err := w.maps.ProgramsByIndex.Put(uint32(0), w.maps.Unwind); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func newWaits(host waitsHost) *waits {
	return &waits{host: host, known: map[uint64]*wait{}, groups: map[uint64]*group{}, standIns: map[uint64]*sample{}}
}

// attach attaches the program; nothing is recorded before enable.
func (w *waits) attach() (err error) {
	w.link, err = link.AttachTracing(link.TracingOptions{Program: w.maps.Switched})
	return err
}

// releaseMaps hands the maps for samples and unwind tables over to the caller, who closes them.
func (w *waits) releaseMaps() bpf.CPUMaps {
	maps := w.maps.CPUMaps
	w.maps.CPUMaps = bpf.CPUMaps{}
	return maps
}

// places is the number of places at which threads wait that are known now.
func (w *waits) places() int { return len(w.groups) }

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
func (w *waits) enable(on bool) error {
	if !on {
		w.host.Lock()
		w.end = monotonic()
		w.host.Unlock()
		return w.control(bpf.WaitsControl{Begin: w.begin, End: w.end})
	}
	w.host.Lock()
	w.begin = monotonic()
	w.host.Unlock()
	if err := w.control(bpf.WaitsControl{Begin: w.begin}); err != nil {
		return err
	}
	return w.findSleepers()
}

func (w *waits) control(k bpf.WaitsControl) error {
	if err := w.maps.Controls.Put(uint32(0), k); err != nil {
		return fmt.Errorf("tell the BPF program what to do: %w", err)
	}
	return nil
}

// ended takes in all that was waited with a stack, or by a group without one, when its place is given up.
func (w *waits) ended(r waitedRecord) {
	total := amount{int64(r.count), int64(r.time)}
	if r.rest {
		if g := w.groups[r.serial]; g != nil {
			w.addRest(g, total)
			w.shareOut(g)
			delete(w.known, g.last) // if it was told no sum of it
			delete(w.groups, r.serial)
			return
		}
	} else if one := w.known[r.serial]; one != nil {
		w.add(one, total)
		delete(w.known, r.serial)
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
func (w *waits) add(one *wait, total amount) {
	more := total.minus(one.seen)
	if !one.wanted || more.value <= 0 || more.count < 0 {
		return
	}
	one.seen = total
	if one.entry == nil {
		w.lose(more)
		return
	}
	w.host.AddWaits(one.entry, more)
	one.group.add(one, more)
}

// gather reads what was waited until now, by threads that still wait too. At the end nothing is on its way any more.
func (w *waits) gather(atEnd bool) error {
	now := monotonic()
	if w.end != 0 {
		now = w.end
	}
	threads := w.maps.Threads.Iterate()
	var tid uint32
	var t bpf.WaitsThread
	for threads.Next(&tid, &t) {
		for i, p := range t.Places {
			total, rest := amount{int64(p.Count), int64(p.Time)}, amount{int64(p.UnwalkedCount), int64(p.UnwalkedTime)}
			if t.WaitingSince != 0 && t.CurrentPlace == uint32(i) && now > t.WaitingSince {
				goesOn := &total
				if t.Walked == 0 {
					goesOn = &rest
				}
				goesOn.count++
				goesOn.value += int64(now - t.WaitingSince)
			}
			if one := w.known[p.Serial]; one != nil {
				w.add(one, total)
			} else if atEnd {
				w.lose(total)
			}
			if g := w.groups[p.Group]; g != nil {
				w.addRest(g, rest)
				if atEnd || g.chosen.waits >= manyWaits {
					w.shareOut(g)
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
	var perCPU []bpf.WaitsCpuState
	lost, noRoom := w.lost, uint64(0)
	if w.maps.CPUStates.Lookup(uint32(0), &perCPU) == nil { // else what is known
		for _, a := range perCPU {
			lost.count += int64(a.LostWaits)
			lost.value += int64(a.LostTime)
			noRoom += a.UntrackedSwitches
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
		w.maps.Threads.Close(), w.maps.Controls.Close(), w.maps.CPUStates.Close(), w.maps.CPUMaps.Close())
	return errors.Join(errs...)
}
