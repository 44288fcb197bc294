package capture

import (
	"errors"
	"slices"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/goruntime"
)

// goProcess is a program whose goroutines are read.
type goProcess struct {
	*goProgram
	goroutines *goruntime.Goroutines
	threads    map[int]int // IDs in our PID namespace by those in its own
}

// goProcesses are those of a container.
type goProcesses struct {
	*goPrograms
	all []*goProcess
}

// openGoProcesses finds them. The error wraps ErrNoGo if there is none that can be read.
func openGoProcesses(o Options) (*goProcesses, error) {
	programs, err := openGoPrograms(o)
	if err != nil {
		return nil, err
	}
	p := &goProcesses{goPrograms: programs}
	for _, program := range slices.Clone(programs.programs) {
		goroutines, err := program.Goroutines()
		if err != nil {
			programs.drop(program, privileged(err))
			continue
		}
		p.all = append(p.all, &goProcess{program, goroutines, map[int]int{}})
	}
	if err := programs.none(); err != nil {
		return nil, errors.Join(err, programs.close())
	}
	return p, nil
}

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

// has tells whether a process is among them.
func (p *goProcesses) has(pid int) bool {
	return slices.ContainsFunc(p.all, func(one *goProcess) bool { return one.generation.process.PID == pid })
}
