//go:build linux

package waits

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/builder"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/kernel"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// Tracker knows what the BPF program at switches of threads (bpf/waits.bpf.c) adds up. It sends each stack once, with a
// serial number; what was waited there stands in its map of threads, and is told once more when the place is given up.
type Tracker struct {
	host      Host
	maps      bpfMaps
	link      link.Link
	known     map[uint64]*wait          // by serial number
	groups    map[uint64]*group         // by the first one's serial number
	standIns  map[uint64]*record.Sample // threads that sleep, of which the user's stack is still to come
	processes []proc.Process            // of the target, when it was loaded

	begin, end uint64       // of the capture, in ns of CLOCK_MONOTONIC
	lost       stack.Amount // waits whose stack, or whose sum, found no room
	unknown    uint64       // threads that slept and of which nothing could be learnt
}

// Host is the sampler to which the waits belong. Its lock guards all that samples change, and is held by
// those who call the other methods.
type Host interface {
	sync.Locker
	KeepSample(*record.Sample)
	AddWaits(*stack.Entry, stack.Amount)
}

type bpfMaps struct {
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
	entry  *stack.Entry // nil if there was no room for it, or nobody wants it
	wanted bool
	seen   stack.Amount // how much of what was waited there is in the entry
	group  *group
	// representsGroup: it stands for others of the group.
	representsGroup bool
}

// Load loads the program at switches of threads. Its maps for samples and unwind tables are those of shared, if
// that is not nil.
func Load(spec *ebpf.CollectionSpec, containerID string, shared *bpf.CPUMaps, host Host) (*Tracker, error) {
	processes, err := proc.InContainer(containerID)
	if err != nil {
		return nil, err
	}
	spec.Maps[bpf.WaitsMapThreads].MaxEntries = roomForThreads(processes)
	w := New(host)
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
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func New(host Host) *Tracker {
	return &Tracker{host: host, known: map[uint64]*wait{}, groups: map[uint64]*group{}, standIns: map[uint64]*record.Sample{}}
}

// Attach attaches the program; nothing is recorded before enable.
func (w *Tracker) Attach() (err error) {
	w.link, err = link.AttachTracing(link.TracingOptions{Program: w.maps.Switched})
	return err
}

// ReleaseMaps hands the maps for samples and unwind tables over to the caller, who closes them.
func (w *Tracker) ReleaseMaps() bpf.CPUMaps {
	maps := w.maps.CPUMaps
	w.maps.CPUMaps = bpf.CPUMaps{}
	return maps
}

// Places is the number of places at which threads wait that are known now.
func (w *Tracker) Places() int { return len(w.groups) }

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

// Enable begins or ends the capture.
func (w *Tracker) Enable(on bool) error {
	if !on {
		w.host.Lock()
		w.end = kernel.Monotonic()
		w.host.Unlock()
		return w.control(bpf.WaitsControl{Begin: w.begin, End: w.end})
	}
	w.host.Lock()
	w.begin = kernel.Monotonic()
	w.host.Unlock()
	if err := w.control(bpf.WaitsControl{Begin: w.begin}); err != nil {
		return err
	}
	return w.findSleepers()
}

func (w *Tracker) control(k bpf.WaitsControl) error {
	if err := w.maps.Controls.Put(uint32(0), k); err != nil {
		return fmt.Errorf("tell the BPF program what to do: %w", err)
	}
	return nil
}

// AddFinalTotal takes in all that was waited with a stack, or by a group without one, when its place is given up.
func (w *Tracker) AddFinalTotal(r record.WaitTotal) {
	total := stack.Amount{Count: int64(r.Count), Value: int64(r.Time)}
	if r.Unwalked {
		if g := w.groups[r.Serial]; g != nil {
			w.addRest(g, total)
			w.shareOut(g)
			delete(w.known, g.last) // if it was told no sum of it
			delete(w.groups, r.Serial)
			return
		}
	} else if one := w.known[r.Serial]; one != nil {
		w.add(one, total)
		delete(w.known, r.Serial)
		return
	}
	w.lose(total)
}

func (w *Tracker) lose(a stack.Amount) {
	w.lost.Count += a.Count
	w.lost.Value += a.Value
}

// add adds what is new of all that was waited with a stack. Less than what was seen is the shadow of a change while
// the map was read; it comes right with the next time.
func (w *Tracker) add(one *wait, total stack.Amount) {
	more := total.Minus(one.seen)
	if !one.wanted || more.Value <= 0 || more.Count < 0 {
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

// Gather reads what was waited until now, by threads that still wait too. At the end nothing is on its way any more.
func (w *Tracker) Gather(atEnd bool) error {
	now := kernel.Monotonic()
	if w.end != 0 {
		now = w.end
	}
	threads := w.maps.Threads.Iterate()
	var tid uint32
	var t bpf.WaitsThread
	for threads.Next(&tid, &t) {
		for i, p := range t.Places {
			total, rest := stack.Amount{Count: int64(p.Count), Value: int64(p.Time)}, stack.Amount{Count: int64(p.UnwalkedCount), Value: int64(p.UnwalkedTime)}
			if t.WaitingSince != 0 && t.CurrentPlace == uint32(i) && now > t.WaitingSince {
				goesOn := &total
				if t.Walked == 0 {
					goesOn = &rest
				}
				goesOn.Count++
				goesOn.Value += int64(now - t.WaitingSince)
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

// Describe says in comments what was not seen.
func (w *Tracker) Describe(b *builder.Builder) {
	var perCPU []bpf.WaitsCpuState
	lost, noRoom := w.lost, uint64(0)
	if w.maps.CPUStates.Lookup(uint32(0), &perCPU) == nil { // else what is known
		for _, a := range perCPU {
			lost.Count += int64(a.LostWaits)
			lost.Value += int64(a.LostTime)
			noRoom += a.UntrackedSwitches
		}
	}
	b.Comment("lost waits: %d, of %v", lost.Count, time.Duration(lost.Value))
	if w.unknown > 0 {
		b.Comment("threads that slept from the beginning and could not be read: %d", w.unknown)
	}
	if noRoom > 0 {
		b.Comment("switches of threads without room: %d", noRoom)
	}
}

func (w *Tracker) Close() error {
	var errs []error
	if w.link != nil {
		errs = append(errs, w.link.Close())
	}
	errs = append(errs, w.maps.Switched.Close(), w.maps.Unwind.Close(), w.maps.ListSleepers.Close(),
		w.maps.Threads.Close(), w.maps.Controls.Close(), w.maps.CPUStates.Close(), w.maps.CPUMaps.Close())
	return errors.Join(errs...)
}
