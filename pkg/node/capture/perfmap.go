//go:build linux

package capture

import (
	"slices"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// perfMap is the list of a process's code made at run time. It is opened when the capture has ended, for
// the process adds to it until then; the process may have ended by that time.
type perfMap struct {
	process *proc.Process
	root    *proc.Root
	file    *proc.File
	over    bool // the list is opened, is not there, or has become that of another program
}

// maxPerfMaps bounds the descriptors that are kept for processes with code made at run time.
const maxPerfMaps = 1024

// perfMapOf gives a generation's list: that of the one before it, which is the same program, or a new one
// if it has memory with code that is no file's.
func (t *processTable) perfMapOf(before, g *generation) *perfMap {
	if before != nil && before.perfMap != nil {
		return before.perfMap
	}
	if len(t.perfMaps) >= maxPerfMaps || !g.makesCode() {
		return nil
	}
	root, err := g.process.OpenRoot()
	if err != nil {
		return nil // it has ended
	}
	m := &perfMap{process: g.process, root: root}
	t.perfMaps = append(t.perfMaps, m)
	return m
}

// makesCode tells whether the process has memory with code that is no file's.
func (g *generation) makesCode() bool {
	return slices.ContainsFunc(g.mappings, func(m mapping) bool { return m.Anonymous() })
}

// open gives the list; nil if there is none.
func (m *perfMap) open() *proc.File {
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
func (m *perfMap) replaced() {
	if m != nil {
		m.over = true
	}
}

func (m *perfMap) close() error {
	if m.file != nil {
		m.file.Close()
	}
	return m.root.Close()
}
