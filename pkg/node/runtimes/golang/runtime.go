//go:build linux

// Package golang reads the runtime of a Go program from outside, in the memory of the running process and in its
// executable, which may be stripped. Its entry point is Open. It must not know of profiles or BPF; the process
// is neither stopped nor trusted: every pointer is checked, every loop bounded, and what cannot be made sure of is an error.
package golang

import (
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/gopclntab"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// Why a process cannot be read. Callers decide by these with errors.Is; the texts say the particulars.
var (
	ErrNotGo       = errors.New("not a Go program")
	ErrUnsupported = errors.New("this build of Go is not known to the profiler")
	ErrTorn        = errors.New("the program's memory changed while it was read, or is not as its version of Go has it")
)

// Runtime is that of one process. It must not be used by two goroutines at once.
type Runtime struct {
	Version string // of Go, as the executable tells it: "go1.22.3"
	Race    bool   // built with -race

	minor   int // of Go 1.x
	layout  layout
	process *proc.Process
	file    *proc.File // nil for a recorded image
	exe     *object.File
	table   *gopclntab.Table
	memory  Memory
	bias    uint64 // what is to be added to the file's addresses

	variables map[string]uint64 // in the file's own numbering
	expanded  map[uint64]expansion
	names     map[uint64]string       // of functions by address
	lists     map[bucketKind][]bucket // that were read
}

// Open finds the Go program of a process: its executable or, in a program that is not Go itself, the first
// library that is. It must be closed. The error wraps ErrNotGo or ErrUnsupported where one of these is the cause.
func Open(p *proc.Process) (*Runtime, error) {
	mappings, err := p.Mappings()
	if err != nil {
		return nil, fmt.Errorf("process %d (%s): %w", p.NSPID, p.Name, err)
	}
	type key struct {
		dev   string
		inode uint64
	}
	tried := map[key]bool{}
	for _, m := range mappings {
		if k := (key{m.Dev, m.Inode}); m.Inode == 0 || tried[k] {
			continue
		} else {
			tried[k] = true
		}
		f, err := p.OpenMapping(m)
		if err != nil {
			continue // what cannot be opened is not known to be Go
		}
		r, err := open(f, processMemory(p.PID), m)
		if err == nil {
			r.process, r.file = p, f
			return r, nil
		}
		f.Close()
		if !errors.Is(err, ErrNotGo) {
			return nil, fmt.Errorf("process %d (%s): %s: %w", p.NSPID, p.Name, f.Path(), err)
		}
	}
	return nil, fmt.Errorf("process %d (%s): %w", p.NSPID, p.Name, ErrNotGo)
}

// open reads an executable that is mapped so.
func open(file io.ReaderAt, memory Memory, m proc.Mapping) (*Runtime, error) {
	f, err := object.Open(file)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotGo, err)
	}
	table, err := gopclntab.Open(f)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotGo, err)
	}
	if f.Machine != elf.EM_X86_64 && f.Machine != elf.EM_AARCH64 {
		return nil, fmt.Errorf("%w: it is for %v", ErrUnsupported, f.Machine)
	}
	info, err := buildinfo.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%w: it does not say which version of Go built it: %w", ErrUnsupported, err)
	}
	r := &Runtime{Version: info.GoVersion, exe: f, table: table, memory: memory, expanded: map[uint64]expansion{}, names: map[uint64]string{}, lists: map[bucketKind][]bucket{}}
	for _, s := range info.Settings {
		r.Race = r.Race || s.Key == "-race" && s.Value == "true"
	}
	if r.minor, r.layout, err = checkVersion(info.GoVersion); err != nil {
		return nil, err
	}
	r.bias, err = biasOf(f, m)
	return r, err
}

// biasOf returns what must be added to the file's addresses to get those of the process.
func biasOf(f *object.File, m proc.Mapping) (uint64, error) {
	bias, ok := f.CodeSegments().Bias(m.Start, m.Offset)
	if !ok {
		return 0, fmt.Errorf("%w: its code is not mapped where its headers place it", ErrUnsupported)
	}
	return bias, nil
}

// VerifyProcess tells whether the process is still the same one and executes the same program: what was read until now
// came from it.
func (r *Runtime) VerifyProcess() error {
	now, err := proc.Open(r.process.PID)
	if err != nil || now.StartTime != r.process.StartTime {
		return errEnded
	}
	mappings, err := now.Mappings()
	if err != nil {
		return err
	}
	if len(mappings) == 0 { // a zombie, or about to become one
		return errEnded
	}
	_, inode := r.file.Key()
	for _, m := range mappings {
		if m.Inode != inode {
			continue
		}
		if bias, err := biasOf(r.exe, m); err == nil && bias == r.bias {
			return nil
		}
	}
	return errors.New("the process has executed another program meanwhile")
}

var errEnded = errors.New("the process has ended meanwhile")

// Close closes the executable.
func (r *Runtime) Close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

// MinorVersion reads the minor number of "go1.22.3", also with a suffix as vendors add; 0 for anything else.
func MinorVersion(version string) int {
	rest, ok := strings.CutPrefix(version, "go1.")
	if !ok {
		return 0
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		rest = rest[:end]
	}
	n, _ := strconv.Atoi(rest)
	return n
}
