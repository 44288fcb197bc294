//go:build linux

package profiles

import (
	"errors"
	"slices"
	"sync/atomic"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/run"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang"
)

// reader is a program whose goroutines are read.
type reader struct {
	*program
	goroutines *golang.GoroutineReader
	threads    map[int]int // IDs in our PID namespace by those in its own
	cut        int         // consecutive readings that ended early
}

// readers are the readers of a container's Go programs.
type readers struct {
	*programs
	mainOnly bool // see openReaders
	all      []*reader
	known    map[processKey]bool          // processes that need not be opened again, readable or not
	removed  golang.Counts                // of the readers that were removed
	pids     atomic.Pointer[map[int]bool] // of all, for concurrent use
}

type processKey struct {
	pid     int
	started uint64
}

func keyOf(p *proc.Process) processKey { return processKey{p.PID, p.StartTime} }

// openReaders opens the Go programs of a container for reading goroutines. With mainOnly, it leaves out libraries of
// programs that are not built with Go. The error wraps ErrNoGo if there is none.
func openReaders(o run.Options, mainOnly bool) (*readers, error) {
	programs, err := openPrograms(o)
	if err != nil {
		return nil, err
	}
	all := &readers{programs: programs, mainOnly: mainOnly, known: programs.seen}
	all.publish()
	for _, program := range slices.Clone(programs.all) {
		all.add(program)
	}
	if err := programs.none(); err != nil {
		return nil, errors.Join(err, programs.close())
	}
	return all, nil
}

func (a *readers) add(program *program) {
	goroutines, err := program.GoroutineReader()
	if err == nil && a.mainOnly && goroutines.InLibrary {
		err = errors.New("it is a library of a program that is not built with Go, so the threads are sampled")
	}
	if err != nil {
		a.drop(program, privileged(err))
		return
	}
	a.all = append(a.all, &reader{program: program, goroutines: goroutines, threads: map[int]int{}})
	a.publish()
}

// publish makes the PIDs of all readers visible to has and Len.
func (a *readers) publish() {
	pids := map[int]bool{}
	for _, p := range a.all {
		pids[p.generation.Process.PID] = true
	}
	a.pids.Store(&pids)
}

// remove drops a program that cannot be read any more. lookAgain opens the process again if it has called execve.
func (a *readers) remove(p *reader, why error) {
	delete(a.known, keyOf(p.generation.Process))
	a.removed.Add(p.goroutines.Counts)
	a.drop(p.program, why)
	a.all = slices.DeleteFunc(a.all, func(one *reader) bool { return one == p })
	a.publish()
}

// moveToEnd makes a program the last of all.
func (a *readers) moveToEnd(p *reader) {
	a.all = append(slices.DeleteFunc(a.all, func(one *reader) bool { return one == p }), p)
}

// counts returns the counters of all readers, including those removed.
func (a *readers) counts() golang.Counts {
	all := a.removed
	for _, p := range a.all {
		all.Add(p.goroutines.Counts)
	}
	return all
}

// lookAgain adds processes that have started since the last call or since the capture was prepared.
func (a *readers) lookAgain(o run.Options) {
	processes, err := proc.InContainer(o.ContainerID)
	if err != nil {
		return // the container has ended
	}
	now := map[processKey]bool{}
	for i := range processes {
		p := &processes[i]
		now[keyOf(p)] = true
		if a.known[keyOf(p)] || !process.Selects(o.PIDs, p.NSPID) || len(a.all) >= maxPrograms {
			continue
		}
		for _, program := range a.open(p) {
			a.add(program)
		}
	}
	a.known = now
}

// maxPrograms bounds the programs that are read at once, each with some 2 MB of its executable.
const maxPrograms = 256

// thread returns a thread's ID in our PID namespace for its ID in its own.
func (p *reader) thread(own int) (int, bool) {
	if tid, ok := p.threads[own]; ok {
		return tid, true
	}
	tid, ok := p.generation.Process.FindThread(own)
	if ok && len(p.threads) < maxKnownThreads {
		p.threads[own] = tid
	}
	return tid, ok
}

// maxKnownThreads bounds the IDs that are kept.
const maxKnownThreads = 1 << 15

// has reports whether a process is read. It may be called at any time.
func (a *readers) has(pid int) bool { return (*a.pids.Load())[pid] }

// Len returns the number of programs. It may be called at any time.
func (a *readers) Len() int { return len(*a.pids.Load()) }
