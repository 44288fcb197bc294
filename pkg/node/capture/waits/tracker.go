//go:build linux

package waits

import (
	"context"
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
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// Tracker adds the waits that the BPF program measures at context switches (bpf/waits.bpf.c) to their stacks. The program
// sends each stack once, with a serial. The time waited there is in the map of threads and is sent as a total when the
// thread's place is reused.
type Tracker struct {
	host      Host
	maps      bpfMaps
	link      link.Link
	known     map[uint64]*wait          // by serial
	groups    map[uint64]*group         // by the serial of the group's first wait
	sleepers  map[uint64]*record.Sample // sleeping threads whose user stack has not arrived yet, by serial
	processes []proc.Process            // of the target, when the program was loaded

	begin, end     uint64       // of the capture, CLOCK_MONOTONIC, ns
	lost           stack.Amount // waits for whose stack or total there was no room
	unreadSleepers uint64       // sleeping threads whose stack or process could not be read
}

// Host is the sampler that owns a Tracker. Its lock guards everything that samples change; callers hold it when they call
// the other methods.
type Host interface {
	sync.Locker
	// KeepSample adds a sample whose user stack could not be copied.
	KeepSample(*record.Sample)
	// AddWaits adds waits and their duration to a stack.
	AddWaits(*stack.Entry, stack.Amount)
}

type bpfMaps struct {
	bpf.CPUMaps                // shared by the programs for events and for waits
	Threads      *ebpf.Map     `ebpf:"threads"`
	Controls     *ebpf.Map     `ebpf:"controls"`
	CPUStates    *ebpf.Map     `ebpf:"cpu_states"`
	Switched     *ebpf.Program `ebpf:"on_sched_switch"`
	Unwind       *ebpf.Program `ebpf:"unwind"`
	ListSleepers *ebpf.Program `ebpf:"list_sleepers"`
}

// wait is a wait whose stack was walked.
type wait struct {
	entry           *stack.Entry // nil if the stack table is full or the process is not wanted
	wanted          bool         // the process is profiled
	seen            stack.Amount // the part of the total that has been added to entry
	group           *group
	representsGroup bool // it was drawn at random among the waits of the group
}

// Load loads the BPF program for context switches of a container with the given processes. It uses the maps for samples and
// unwind tables of shared, unless that is nil.
func Load(spec *ebpf.CollectionSpec, processes []proc.Process, shared *bpf.CPUMaps, host Host) (*Tracker, error) {
	spec.Maps[bpf.WaitsMapThreads].MaxEntries = threadCapacity(processes)
	w := New(host)
	w.processes = processes
	replacements := map[string]*ebpf.Map{}
	if shared != nil {
		replacements = map[string]*ebpf.Map{
			bpf.CPUMapSamples: shared.Samples, bpf.CPUMapLost: shared.Lost, bpf.CPUMapUnwindChunks: shared.UnwindChunks,
			bpf.CPUMapUnwindRules: shared.UnwindRules, bpf.CPUMapUnwindRanges: shared.UnwindRanges,
			bpf.CPUMapUnwindProcesses: shared.UnwindProcesses, bpf.CPUMapUnwindChanges: shared.UnwindChanges,
		}
	}
	if err := spec.LoadAndAssign(&w.maps, &ebpf.CollectionOptions{MapReplacements: replacements, Cache: kernel.Types()}); err != nil {
		return nil, err
	}
	scheduler() // it is slow the first time; do it before the capture begins
	if err := w.maps.ProgramsByIndex.Put(uint32(0), w.maps.Unwind); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// New returns a Tracker without a BPF program. Load is the usual constructor.
func New(host Host) *Tracker {
	return &Tracker{host: host, known: map[uint64]*wait{}, groups: map[uint64]*group{}, sleepers: map[uint64]*record.Sample{}}
}

// Attach attaches the program, which records nothing until Enable is called.
func (w *Tracker) Attach() (err error) {
	w.link, err = link.AttachTracing(link.TracingOptions{Program: w.maps.Switched})
	return err
}

// ReleaseMaps returns the maps for samples and unwind tables. The caller has to close them.
func (w *Tracker) ReleaseMaps() bpf.CPUMaps {
	maps := w.maps.CPUMaps
	w.maps.CPUMaps = bpf.CPUMaps{}
	return maps
}

// Places returns the number of places at which threads wait at present.
func (w *Tracker) Places() int { return len(w.groups) }

// Bounds on the number of entries of the map of threads, which have 456 bytes each.
const (
	minThreads = 2048
	maxThreads = 1 << 15
)

// threadCapacity returns the capacity of the map of threads: four times the present number of threads, within bounds.
func threadCapacity(processes []proc.Process) uint32 {
	n := 0
	for _, p := range processes {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", p.PID)) // empty if the process has exited
		n += len(tasks)
	}
	return uint32(min(max(4*n, minThreads), maxThreads))
}

// Disable stops recording.
func (w *Tracker) Disable() error {
	w.host.Lock()
	w.end = kernel.Monotonic()
	w.host.Unlock()
	return w.setControl(bpf.WaitsControl{Begin: w.begin, End: w.end})
}

// Enable starts recording and registers the threads that sleep. If ctx is done before all are registered, it leaves out
// the others.
func (w *Tracker) Enable(ctx context.Context) error {
	w.host.Lock()
	w.begin = kernel.Monotonic()
	w.host.Unlock()
	if err := w.setControl(bpf.WaitsControl{Begin: w.begin}); err != nil {
		return err
	}
	return w.addSleepers(ctx)
}

func (w *Tracker) setControl(k bpf.WaitsControl) error {
	if err := w.maps.Controls.Put(uint32(0), k); err != nil {
		return fmt.Errorf("write the BPF program's map of controls: %w", err)
	}
	return nil
}

// AddFinalTotal adds the final total of a walked stack, or of a group's unwalked waits, which ends the group.
func (w *Tracker) AddFinalTotal(r record.WaitTotal) {
	total := stack.Amount{Count: int64(r.Count), Value: int64(r.Time)}
	if r.Unwalked {
		if g := w.groups[r.Serial]; g != nil {
			w.addUnwalked(g, total)
			w.distribute(g)
			delete(w.known, g.last) // still there if the ring buffer had no room for its total
			delete(w.groups, r.Serial)
			return
		}
	} else if one := w.known[r.Serial]; one != nil {
		w.add(one, total)
		delete(w.known, r.Serial)
		return
	}
	w.countLost(total)
}

func (w *Tracker) countLost(a stack.Amount) {
	w.lost.Count += a.Count
	w.lost.Value += a.Value
}

// add adds what has grown since the last call. total is the number and duration of all waits with this stack. A total that
// has shrunk was read while the BPF program changed it, and is ignored; the next one is right.
func (w *Tracker) add(one *wait, total stack.Amount) {
	more := total.Minus(one.seen)
	if !one.wanted || more.Value <= 0 || more.Count < 0 {
		return
	}
	one.seen = total
	if one.entry == nil {
		w.countLost(more)
		return
	}
	w.host.AddWaits(one.entry, more)
	one.group.add(one, more)
}

// Gather adds the totals in the map of threads, including those of waits in progress. With atEnd, no more samples are
// expected: totals without a stack are lost, and all unwalked waits are distributed.
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
			walked := stack.Amount{Count: int64(p.Count), Value: int64(p.Time)}
			unwalked := stack.Amount{Count: int64(p.UnwalkedCount), Value: int64(p.UnwalkedTime)}
			if t.WaitingSince != 0 && t.CurrentPlace == uint32(i) && now > t.WaitingSince {
				current := &walked
				if t.Walked == 0 {
					current = &unwalked
				}
				current.Count++
				current.Value += int64(now - t.WaitingSince)
			}
			if one := w.known[p.Serial]; one != nil {
				w.add(one, walked)
			} else if atEnd {
				w.countLost(walked)
			}
			if g := w.groups[p.Group]; g != nil {
				w.addUnwalked(g, unwalked)
				if atEnd || g.random.waits >= minRandomWaits {
					w.distribute(g)
				}
			} else if atEnd {
				w.countLost(unwalked)
			}
		}
	}
	if err := threads.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) {
		return fmt.Errorf("read the BPF program's map of threads: %w", err)
	}
	return nil
}

// Describe adds comments about the waits that are missing from the profile.
func (w *Tracker) Describe(b *builder.Builder) {
	var perCPU []bpf.WaitsCpuState
	lost, untracked := w.lost, uint64(0)
	if w.maps.CPUStates.Lookup(uint32(0), &perCPU) == nil { // otherwise only the losses in user space are reported
		for _, a := range perCPU {
			lost.Count += int64(a.LostWaits)
			lost.Value += int64(a.LostTime)
			untracked += a.UntrackedSwitches
		}
	}
	meta.LostWaits.Add(b.Profile, meta.Waits{Count: lost.Count, Time: time.Duration(lost.Value)})
	if w.unreadSleepers > 0 {
		meta.UnreadSleepers.Add(b.Profile, int64(w.unreadSleepers))
	}
	if untracked > 0 {
		meta.UntrackedSwitches.Add(b.Profile, int64(untracked))
	}
}

// Close detaches the program and closes it and its maps.
func (w *Tracker) Close() error {
	var errs []error
	if w.link != nil {
		errs = append(errs, w.link.Close())
	}
	errs = append(errs, w.maps.Switched.Close(), w.maps.Unwind.Close(), w.maps.ListSleepers.Close(),
		w.maps.Threads.Close(), w.maps.Controls.Close(), w.maps.CPUStates.Close(), w.maps.CPUMaps.Close())
	return errors.Join(errs...)
}
