//go:build linux

// Package golang reads Go's runtime from outside: the memory of a running process and its
// executable, which may be stripped. Its entry point is Open; Language describes Go to samplers. It
// must not depend on profiles, nor on how BPF programs are loaded.
//
// The process is neither stopped nor trusted: every pointer is checked, every loop is bounded, and
// data that cannot be verified is an error.
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

// The reasons why a process cannot be read, wrapped in errors with the details. Test with errors.Is.
var (
	ErrNotGo       = errors.New("not a Go program")
	ErrUnsupported = errors.New("this build of Go is not known to the profiler")
	ErrTorn        = errors.New("the program's memory changed while it was read, or does not match its version of Go")
)

// Runtime is the Go runtime of one process. It is not safe for concurrent use.
type Runtime struct {
	Version string // of Go, from the executable's build information: "go1.22.3"
	Race    bool   // built with -race

	minor   int // x of Go 1.x
	layout  layout
	process *proc.Process
	file    *proc.File // nil for a recorded image
	exe     *object.File
	table   *gopclntab.Table
	memory  Memory
	bias    uint64 // address in the process minus address in the file

	// Caches.
	variables map[string]uint64       // address in the file by name
	expanded  map[uint64]expansion    // by return address
	names     map[uint64]string       // function name by address
	lists     map[bucketKind][]bucket // newest first
}

// Open opens the Go runtime of a process. It uses the executable or, if that is not built with Go,
// the first mapped library that is. The caller must close the Runtime. The error wraps ErrNotGo or
// ErrUnsupported if one of them is the cause.
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
			continue // a file that cannot be opened is not counted as Go
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

// open opens an executable that is mapped at m.
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
		return nil, fmt.Errorf("%w: unsupported architecture %v", ErrUnsupported, f.Machine)
	}
	info, err := buildinfo.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%w: the executable does not contain the version of Go: %w", ErrUnsupported, err)
	}
	r := &Runtime{
		Version: info.GoVersion, exe: f, table: table, memory: memory,
		expanded: map[uint64]expansion{}, names: map[uint64]string{}, lists: map[bucketKind][]bucket{},
	}
	for _, s := range info.Settings {
		r.Race = r.Race || s.Key == "-race" && s.Value == "true"
	}
	if r.minor, r.layout, err = checkVersion(info.GoVersion); err != nil {
		return nil, err
	}
	r.bias, err = biasOf(f, m)
	return r, err
}

// biasOf returns the difference between an address in the process and the same address in the file.
func biasOf(f *object.File, m proc.Mapping) (uint64, error) {
	bias, ok := f.CodeSegments().Bias(m.Start, m.Offset)
	if !ok {
		return 0, fmt.Errorf("%w: its code is not mapped as its program headers say", ErrUnsupported)
	}
	return bias, nil
}

// VerifyProcess returns an error unless the process is still alive and still executes the program
// that was opened. If it returns nil, everything read so far came from that program.
func (r *Runtime) VerifyProcess() error {
	now, err := proc.Open(r.process.PID)
	if err != nil || now.StartTime != r.process.StartTime {
		return errEnded
	}
	mappings, err := now.Mappings()
	if err != nil {
		return err
	}
	if len(mappings) == 0 { // a zombie or an exiting process
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
	return errors.New("the process has executed another program since it was opened")
}

var errEnded = errors.New("the process has ended")

// Close closes the executable.
func (r *Runtime) Close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

// MinorVersion returns the minor number of a version such as "go1.22.3", which may have a vendor's
// suffix. It returns 0 for anything else.
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
