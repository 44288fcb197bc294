//go:build linux

package process

import (
	"slices"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/kernel"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// PerfMap is the perf map of a process, /tmp/perf-PID.map, which lists its JIT-compiled code. It is opened
// at the end of the capture, because the process appends to it until then. The process may have exited by
// that time.
type PerfMap struct {
	process *proc.Process
	root    *proc.Root
	file    *proc.File
	done    bool // Open was called, or the process executes another program
	// since is when the process was last known to execute the program before, which may have left a perf map at the same
	// path. It is zero if no other program was sampled.
	since time.Time
}

// maxPerfMaps bounds the descriptors that are held for processes with JIT-compiled code.
const maxPerfMaps = 1024

// findOrAddPerfMap returns a generation's perf map: the one of the previous generation, which is of the same
// program, or else a new one if the process has executable anonymous memory. It returns nil if there is none.
func (t *Table) findOrAddPerfMap(before, g *Generation) *PerfMap {
	if before != nil && before.PerfMap != nil {
		return before.PerfMap
	}
	if len(t.perfMaps) >= maxPerfMaps || !g.hasAnonymousCode() {
		return nil
	}
	root, err := g.Process.OpenRoot()
	if err != nil {
		return nil // the process has exited
	}
	m := &PerfMap{process: g.Process, root: root}
	t.perfMaps = append(t.perfMaps, m)
	return m
}

// hasAnonymousCode reports whether the process has executable memory that belongs to no file.
func (g *Generation) hasAnonymousCode() bool {
	return slices.ContainsFunc(g.Mappings, func(m Mapping) bool { return m.Anonymous() })
}

// Open returns the perf map's file, or nil if there is none. It opens the file once.
func (m *PerfMap) Open() *proc.File {
	if m == nil {
		return nil
	}
	if !m.done {
		m.done = true
		m.file, _ = m.process.OpenPerfMap(m.root, m.since) // without the file the code has no symbols
	}
	return m.file
}

// follow records that the process executed another program, of generation before, until it began with the one that
// writes this perf map.
func (m *PerfMap) follow(before *Generation) {
	if m != nil && before.sampledAt != 0 {
		m.since = time.Now().Add(-time.Duration(kernel.Monotonic() - before.sampledAt))
	}
}

// markReplaced records that the process executes another program, whose perf map has the same path.
func (m *PerfMap) markReplaced() {
	if m != nil {
		m.done = true
	}
}

func (m *PerfMap) close() error {
	if m.file != nil {
		m.file.Close()
	}
	return m.root.Close()
}
