//go:build linux

package capture

import (
	"errors"
	"slices"
	"sync/atomic"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang"
)

// goProcess is a program whose goroutines are read.
type goProcess struct {
	*goProgram
	goroutines *golang.Goroutines
	threads    map[int]int // IDs in our PID namespace by those in its own
}

// goProcesses are those of a container.
type goProcesses struct {
	*goPrograms
	all   []*goProcess
	known map[processKey]bool          // that were looked at
	gone  golang.Counts                // of those that are no more
	pids  atomic.Pointer[map[int]bool] // of all, for those who do not read them
}

type processKey struct {
	pid     int
	started uint64
}

func keyOf(p *proc.Process) processKey { return processKey{p.PID, p.StartTime} }

// openGoProcesses finds them. The error wraps ErrNoGo if there is none that can be read.
func openGoProcesses(o Options) (*goProcesses, error) {
	programs, err := openGoPrograms(o)
	if err != nil {
		return nil, err
	}
	all := &goProcesses{goPrograms: programs, known: programs.seen}
	all.publish()
	for _, program := range slices.Clone(programs.programs) {
		all.add(program)
	}
	if err := programs.none(); err != nil {
		return nil, errors.Join(err, programs.close())
	}
	return all, nil
}

func (a *goProcesses) add(program *goProgram) {
	goroutines, err := program.Goroutines()
	if err != nil {
		a.drop(program, privileged(err))
		return
	}
	a.all = append(a.all, &goProcess{program, goroutines, map[int]int{}})
	a.publish()
}

func (a *goProcesses) publish() {
	pids := map[int]bool{}
	for _, p := range a.all {
		pids[p.generation.process.PID] = true
	}
	a.pids.Store(&pids)
}

// remove leaves out one that cannot be read any more. It is looked at again, for it may have executed another program.
func (a *goProcesses) remove(p *goProcess, why error) {
	delete(a.known, keyOf(p.generation.process))
	a.gone.Add(p.goroutines.Counts)
	a.drop(p.goProgram, why)
	a.all = slices.DeleteFunc(a.all, func(one *goProcess) bool { return one == p })
	a.publish()
}

// counts say how reading all of them went.
func (a *goProcesses) counts() golang.Counts {
	all := a.gone
	for _, p := range a.all {
		all.Add(p.goroutines.Counts)
	}
	return all
}

// lookAgain takes in processes that have begun since it was called last, or since the capture was prepared.
func (a *goProcesses) lookAgain(o Options) {
	processes, err := proc.InContainer(o.ContainerID)
	if err != nil {
		return // the container has ended
	}
	now := map[processKey]bool{}
	for i := range processes {
		p := &processes[i]
		now[keyOf(p)] = true
		if a.known[keyOf(p)] || !selects(o.PIDs, p.NSPID) || len(a.all) >= maxGoProcesses {
			continue
		}
		if program := a.open(p); program != nil {
			a.add(program)
		}
	}
	a.known = now
}

// maxGoProcesses bounds the programs that are read at once, each with some 2 MB of its executable.
const maxGoProcesses = 256

// thread gives a thread's ID in our PID namespace.
func (p *goProcess) thread(own int) (int, bool) {
	if tid, ok := p.threads[own]; ok {
		return tid, true
	}
	tid, ok := p.generation.process.Thread(own)
	if ok && len(p.threads) < maxKnownThreads {
		p.threads[own] = tid
	}
	return tid, ok
}

// maxKnownThreads bounds the IDs that are kept.
const maxKnownThreads = 1 << 15

// has tells whether a process is among them. It may be called while they are read.
func (a *goProcesses) has(pid int) bool { return (*a.pids.Load())[pid] }

// len is how many there are. It may be called while they are read.
func (a *goProcesses) len() int { return len(*a.pids.Load()) }
