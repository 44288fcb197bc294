//go:build linux

// Package golang reads Go's runtime from outside: the memory of a running process and its
// executable, which may be stripped. Its entry point is Open; Language describes Go to samplers. It
// must not depend on profiles, nor on how BPF programs are loaded.
//
// The process is neither stopped nor trusted: every pointer is checked, every loop is bounded, and
// data that cannot be verified is an error.
package golang

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// The reasons why a process cannot be read, wrapped in errors with the details. Test with errors.Is.
var (
	ErrNotGo       = errors.New("not a Go program")
	ErrPacked      = errors.New("its executable is packed")
	ErrUnsupported = errors.New("this build of Go is not known to the profiler")
	ErrTorn        = errors.New("the program's memory changed while it was read, or does not match its version of Go")
)

// Runtime is the Go runtime of one process. It is not safe for concurrent use.
type Runtime struct {
	Version string // of Go, from the executable's build information: "go1.22.3"
	Race    bool   // built with -race

	// Library is the path of the object that contains the runtime if the process has several runtimes,
	// as a C program with two libraries built with Go has.
	Library string

	minor   int // x of Go 1.x
	layout  layout
	process *proc.Process
	memory  *limitedMemory
	module           // contains the runtime
	plugins []module // whose code the runtime also runs

	// Caches.
	variables map[string]uint64       // address in the file by name
	expanded  map[uint64]expansion    // by return address
	names     map[uint64]string       // function name by address
	lists     map[bucketKind][]bucket // newest first
}

// Open opens the Go runtimes of a process: the executable's, or those of the mapped libraries that
// are built with Go. The caller must close them. If only some can be read, it returns both those and
// an error. The error wraps ErrNotGo, ErrPacked or ErrUnsupported if one of them is the cause.
func Open(p *proc.Process) ([]*Runtime, error) {
	mappings, err := p.Mappings()
	if err != nil {
		return nil, describeProcess(p, err)
	}
	modules, err := openModules(p, mappings, time.Now().Add(maxOpenTime))
	if len(modules) == 0 {
		if err == nil {
			err = describeProcess(p, explainNotGo(p))
		}
		return nil, err
	}
	groups, groupErr := groupInProcess(p, modules)
	if groupErr != nil {
		for _, m := range modules {
			m.file.Close()
		}
		return nil, errors.Join(err, describeProcess(p, groupErr))
	}
	var all []*Runtime
	for _, group := range groups {
		r, openErr := openRuntime(p, group)
		if openErr != nil {
			err = errors.Join(err, describeError(p, group[0].file.Path(), openErr))
			for _, m := range group {
				m.file.Close()
			}
			continue
		}
		if len(groups) > 1 {
			r.Library = group[0].file.Path()
		}
		all = append(all, r)
	}
	return all, err
}

// groupInProcess returns the modules of each runtime of a process.
func groupInProcess(p *proc.Process, modules []module) ([][]module, error) {
	if len(modules) == 1 {
		return [][]module{modules}, nil
	}
	memory, err := openMemory(p)
	if err != nil {
		return nil, err
	}
	defer memory.close()
	return groupByRuntime(modules, memory)
}

// openRuntime opens the runtime in the first of its modules.
func openRuntime(p *proc.Process, modules []module) (*Runtime, error) {
	memory, err := openMemory(p)
	if err != nil {
		return nil, err
	}
	r, err := newRuntime(modules[0], memory)
	if err != nil {
		memory.close()
		return nil, err
	}
	r.process, r.plugins = p, modules[1:]
	return r, nil
}

// open opens the runtime in an executable that is mapped at m.
func open(file io.ReaderAt, memory Memory, m proc.Mapping) (*Runtime, error) {
	mod, err := openModule(file, m)
	if err != nil {
		return nil, err
	}
	return newRuntime(mod, memory)
}

// newRuntime returns the runtime in a module.
func newRuntime(m module, memory Memory) (*Runtime, error) {
	info, err := m.exe.GoBuildInfo()
	if err != nil {
		return nil, fmt.Errorf("%w: the executable does not contain the version of Go: %w", ErrUnsupported, err)
	}
	r := &Runtime{
		Version: info.GoVersion, module: m, memory: &limitedMemory{Memory: memory},
		expanded: map[uint64]expansion{}, names: map[uint64]string{}, lists: map[bucketKind][]bucket{},
	}
	for _, s := range info.Settings {
		r.Race = r.Race || s.Key == "-race" && s.Value == "true"
	}
	r.minor, r.layout, err = checkVersion(info.GoVersion)
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

// Close closes the executable, the plugins and the memory.
func (r *Runtime) Close() error {
	if r.file == nil {
		return nil
	}
	if m, ok := r.memory.Memory.(processMemory); ok {
		m.close()
	}
	err := r.file.Close()
	for _, m := range r.plugins {
		err = errors.Join(err, m.file.Close())
	}
	return err
}

// minorVersion returns the minor number of a version such as "go1.22.3", which may have a vendor's
// suffix. It returns 0 for anything else.
func minorVersion(version string) int {
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
