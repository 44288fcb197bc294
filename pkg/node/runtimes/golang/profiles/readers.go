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
}

// readers are those of a container.
type readers struct {
	*programs
	all   []*reader
	known map[processKey]bool          // that were looked at
	gone  golang.Counts                // of those that are no more
	pids  atomic.Pointer[map[int]bool] // of all, for those who do not read them
}

type processKey struct {
	pid     int
	started uint64
}

func keyOf(p *proc.Process) processKey { return processKey{p.PID, p.StartTime} }

// openReaders opens the Go programs of a container for reading goroutines. The error wraps ErrNoGo if there is none.
func openReaders(o run.Options) (*readers, error) {
	programs, err := openPrograms(o)
	if err != nil {
		return nil, err
	}
	all := &readers{programs: programs, known: programs.seen}
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
	if err != nil {
		a.drop(program, privileged(err))
		return
	}
	a.all = append(a.all, &reader{program, goroutines, map[int]int{}})
	a.publish()
}

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
	a.gone.Add(p.goroutines.Counts)
	a.drop(p.program, why)
	a.all = slices.DeleteFunc(a.all, func(one *reader) bool { return one == p })
	a.publish()
}

// counts returns the counters of all readers, including those removed.
func (a *readers) counts() golang.Counts {
	all := a.gone
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
		if program := a.open(p); program != nil {
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
