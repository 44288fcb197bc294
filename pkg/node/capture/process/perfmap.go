//go:build linux

package process

import (
	"slices"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// PerfMap is the list of a process's code made at run time. It is opened when the capture has ended, for
// the process adds to it until then; the process may have ended by that time.
type PerfMap struct {
	process *proc.Process
	root    *proc.Root
	file    *proc.File
	over    bool // the list is opened, is not there, or has become that of another program
}

// maxPerfMaps bounds the descriptors that are kept for processes with code made at run time.
const maxPerfMaps = 1024

// perfMapOf gives a generation's list: that of the one before it, which is the same program, or a new one
// if it has memory with code that is no file's.
func (t *Table) perfMapOf(before, g *Generation) *PerfMap {
	if before != nil && before.PerfMap != nil {
		return before.PerfMap
	}
	if len(t.perfMaps) >= maxPerfMaps || !g.makesCode() {
		return nil
	}
	root, err := g.Process.OpenRoot()
	if err != nil {
		return nil // it has ended
	}
	m := &PerfMap{process: g.Process, root: root}
	t.perfMaps = append(t.perfMaps, m)
	return m
}

// makesCode tells whether the process has memory with code that is no file's.
func (g *Generation) makesCode() bool {
	return slices.ContainsFunc(g.Mappings, func(m Mapping) bool { return m.Anonymous() })
}

// Open gives the list; nil if there is none.
func (m *PerfMap) Open() *proc.File {
	if m == nil {
		return nil
	}
	if !m.over {
		m.over = true
		m.file, _ = m.process.OpenPerfMap(m.root) // without one the code stays without names
	}
	return m.file
}

// replaced notes that the process executes another program, whose list has the same name.
func (m *PerfMap) replaced() {
	if m != nil {
		m.over = true
	}
}

func (m *PerfMap) close() error {
	if m.file != nil {
		m.file.Close()
	}
	return m.root.Close()
}
