//go:build linux

package profiles

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/builder"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/run"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// ErrNoGo is returned if no process of the container is a Go program that can be read.
var ErrNoGo = errors.New("no Go program can be read")

// ErrMemoryRefused is returned if the kernel does not allow reading the memory of the container's processes.
var ErrMemoryRefused = errors.New("the node's kernel refuses reading the memory of processes")

// programs are the Go programs of a container: processes that are built with Go, and libraries built with Go in other
// processes. They are read without BPF.
type programs struct {
	table   *process.Table
	all     []*program
	others  int                 // processes that are not Go programs
	refused []error             // why Go programs could not be read
	left    []error             // changes to targets that could not be undone
	seen    map[processKey]bool // all processes of the container at the start
}

type program struct {
	*golang.Runtime
	generation *process.Generation

	switched *golang.MemProfileSwitch    // nil if its memory profile was on, or is left off
	before   map[uint64]golang.MemCounts // by record, when the capture began
	sliced   map[uint64]golang.MemCounts // as of the last slice
	last     *golang.MemProfile          // the last slice's reading
}

// openPrograms opens the Go programs of a container. The error wraps ErrNoGo if there is none.
func openPrograms(o run.Options) (*programs, error) {
	processes, err := proc.InContainer(o.ContainerID)
	if err != nil {
		return nil, err
	}
	all := &programs{table: process.NewTable(o.PIDs, func(record.ProcessIdentity, int, []process.Mapping) {}), seen: map[processKey]bool{}}
	for i := range processes {
		p := &processes[i]
		all.seen[keyOf(p)] = true
		switch {
		case !process.Selects(o.PIDs, p.NSPID):
		case len(all.all) >= maxPrograms:
			all.refused = append(all.refused, fmt.Errorf("process %d (%s): more than %d Go programs at once are not read", p.NSPID, p.Name, maxPrograms))
		default:
			all.open(p)
		}
	}
	if err := all.none(); err != nil {
		return nil, errors.Join(err, all.close())
	}
	return all, nil
}

// open adds the Go programs of a process that can be read, and returns them. There is more than one if the process
// has several libraries that are built with Go.
func (a *programs) open(p *proc.Process) []*program {
	runtimes, err := golang.Open(p)
	switch {
	case errors.Is(err, golang.ErrNotGo):
		a.others++
	case err != nil:
		a.refused = append(a.refused, privileged(err))
	}
	var opened []*program
	for _, r := range runtimes {
		// The time tells processes with the same PID apart.
		g, _ := a.table.Lookup(&record.Sample{Process: record.ProcessIdentity{TGID: uint32(p.PID), Started: p.StartTime}, PID: uint32(p.PID)})
		opened = append(opened, &program{Runtime: r, generation: g})
	}
	a.all = append(a.all, opened...)
	return opened
}

// privileged adds the missing capability to an error about permissions.
func privileged(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w; reading a process needs CAP_SYS_PTRACE", err)
	}
	return err
}

// none returns an error with the reason if there is no program to read.
func (a *programs) none() error {
	switch {
	case len(a.all) > 0:
		return nil
	case len(a.refused) > 0 && errors.Is(a.refused[0], fs.ErrPermission):
		return fmt.Errorf("%w: %s: %w", ErrMemoryRefused, whyRefused(ptraceScope()), a.refused[0])
	case len(a.refused) > 0:
		return fmt.Errorf("%w: %w", ErrNoGo, a.refused[0])
	case a.others > 0:
		return fmt.Errorf("%w: none of the container's %d processes is one, and this type of profile is for Go only", ErrNoGo, a.others)
	}
	return fmt.Errorf("%w: none of the container's processes has a PID that was asked for", ErrNoGo)
}

// describe names the program in comments and errors.
func (p *program) describe() string {
	text := fmt.Sprintf("process %d (%s)", p.generation.Process.NSPID, p.generation.Process.Name)
	if p.Library != "" {
		text += ", " + p.Library
	}
	return text
}

func (p *program) close() error { return errors.Join(p.switchOff(), p.Close()) }

// switchOff turns the memory profile off if we have turned it on. It may be called again.
func (p *program) switchOff() error {
	if err := p.switched.Off(); err != nil {
		return fmt.Errorf("the memory profile of %s stays on until it ends: %w", p.describe(), err)
	}
	return nil
}

// checked returns an error if the process has ended or runs another program since it was opened, and err otherwise.
func (p *program) checked(err error) error {
	if gone := p.VerifyProcess(); gone != nil {
		return gone
	}
	return err
}

// drop closes a program, undoes what was changed in it, and records why it is left out.
func (a *programs) drop(p *program, why error) {
	a.refused = append(a.refused, fmt.Errorf("%s: %w", p.describe(), why))
	for i, q := range a.all {
		if p == q {
			a.all = append(a.all[:i:i], a.all[i+1:]...)
		}
	}
	if err := p.switchOff(); err != nil {
		a.left = append(a.left, err)
	}
	p.Close()
	a.table.Forget(p.generation.Process.PID) // it may have executed another program, at addresses that may be the same
}

func (a *programs) close() error {
	var errs []error
	for _, p := range a.all {
		errs = append(errs, p.close())
	}
	a.all = nil
	return errors.Join(append(errs, a.table.Close())...)
}

// describe adds comments about the programs in the profile and those left out.
func (a *programs) describe(b *builder.Builder) {
	for _, p := range a.all {
		version := p.Version
		if p.IsNewer() {
			version += ", newer than this profiler: read as the newest known version, whose structures agree as far as can be checked"
		}
		meta.GoProgram.Add(b.Profile, p.describe()+", "+version)
	}
	for _, err := range a.refused {
		meta.LeftOut.Add(b.Profile, strings.ReplaceAll(err.Error(), "\n", "; ")) // a process may have several reasons
	}
	for _, err := range a.left {
		meta.LeftChanged.Add(b.Profile, err.Error())
	}
	if a.others > 0 {
		meta.ProcessesNotGo.Add(b.Profile, int64(a.others))
	}
}
