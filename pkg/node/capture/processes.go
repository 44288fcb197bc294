//go:build linux

package capture

import (
	"errors"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// generation is a process with its mappings as they were at some time. A process that executes
// another program gets a new one, and stacks are resolved by the one under which they came.
type generation struct {
	id       int
	process  *proc.Process
	mappings []mapping // sorted by address; nil if they could not be read
	last     *mapping  // that was found, for frames that follow each other are mostly in the same
	read     time.Time
	readings int      // before that one, of the same program
	program  program  // that of the samples that belong to it
	perfMap  *perfMap // nil if it makes no code at run time
	sampled  bool     // a sample of it was kept
	foreign  bool     // it is of another container, or left out
}

// mapping is an executable range of a process and the file behind it, nil if there is none.
type mapping struct {
	proc.Mapping
	file *proc.File
}

// find gives the mapping of an address, nil if it is in none.
func (g *generation) find(address uint64) *mapping {
	if m := g.last; m != nil && m.Start <= address && address < m.End {
		return m
	}
	i := sort.Search(len(g.mappings), func(i int) bool { return g.mappings[i].End > address })
	if i < len(g.mappings) && g.mappings[i].Start <= address {
		g.last = &g.mappings[i]
		return g.last
	}
	return nil
}

// processTable knows the processes that were seen. Files are opened when a process is first seen,
// so that its stacks can be symbolized after it has ended.
type processTable struct {
	only []int  // PIDs to keep, all if empty
	slot string // of which to keep the processes; all if empty
	// leaveOut tells by the PID in our namespace which processes not to keep; nil: none.
	leaveOut func(int) bool
	current  map[uint32]*generation
	ids      int
	kept     int // mappings of all generations
	unread   int // processes that ended before their mappings were read
	// changed is told of a wanted process's mappings when they were read, and of none for others.
	changed func(program, int, []mapping)
	files   map[fileKey]*proc.File

	perfMaps []*perfMap // of all processes
}

type fileKey struct{ dev, inode uint64 }

func newProcessTable(only []int, changed func(program, int, []mapping)) *processTable {
	return &processTable{only: only, changed: changed, current: map[uint32]*generation{}, files: map[fileKey]*proc.File{}}
}

// rereadAfter keeps code outside of any mapping from making us read them over and over. A program maps most
// of its libraries when it has just begun, so it is read again soon then, and ever later.
func (g *generation) rereadAfter() time.Duration {
	return min(time.Millisecond<<min(g.readings, 8), 200*time.Millisecond)
}

// of gives the generation that a sample belongs to, and whether its process is wanted.
func (t *processTable) of(s *sample) (*generation, bool) {
	g := t.current[s.program.tgid]
	if g != nil && g.program != s.program {
		g.perfMap.replaced()
		g = nil // another program, at addresses that may be the same
	}
	if g == nil || !g.foreign && g.process.StartTime != 0 && t.outside(g, s) && time.Since(g.read) > g.rereadAfter() {
		g = t.read(s, g)
		t.current[s.program.tgid] = g
	}
	return g, t.wants(g)
}

func (t *processTable) wants(g *generation) bool {
	return !g.foreign && selects(t.only, g.process.NSPID)
}

// isForeign tells whether a process is left out, or of another container of the pod. One that a runtime is still preparing is of none.
func (t *processTable) isForeign(pid int) bool {
	if t.leaveOut != nil && t.leaveOut(pid) {
		return true
	}
	if t.slot == "" {
		return false
	}
	slot, err := proc.Slot(pid)
	return err != nil || slot != t.slot
}

// forget has a process be read anew with its next sample. pid is in our namespace.
func (t *processTable) forget(pid int) {
	maps.DeleteFunc(t.current, func(_ uint32, g *generation) bool { return g.process.PID == pid })
}

// outside tells whether the stack leads to code in none of the known mappings: the process has mapped a
// library since they were read.
func (t *processTable) outside(g *generation, s *sample) bool {
	return s.end == bpf.CPUWalkEndEND_UNMAPPED || len(s.user) > 0 && g.find(s.user[0]&^marks) == nil
}

// read reads a process and its mappings. If it is gone, what was known stays.
func (t *processTable) read(s *sample, before *generation) *generation {
	p, err := proc.Open(int(s.pid))
	var mappings []proc.Mapping
	if err == nil && s.pid != 0 {
		mappings, err = p.Mappings()
	}
	if err == nil && len(mappings) == 0 {
		err = errEnded // it is a zombie, or about to become one
	}
	if err == nil && before == nil && t.executedSince(s, mappings) {
		return t.ended(s)
	}
	if before != nil && err == nil && s.pid != 0 && before.has(mappings) {
		before.read = time.Now()
		before.readings++
		return before
	}
	if err == nil && t.kept+len(mappings) > maxKeptMappings {
		err = errTooManyMappings
	}
	if err != nil || s.pid == 0 {
		if before != nil {
			before.read = time.Now()
			return before
		}
		return t.ended(s)
	}
	if t.isForeign(p.PID) {
		g := t.add(p, nil, s)
		g.foreign = true
		t.changed(s.program, p.PID, nil)
		return g
	}
	t.kept += len(mappings)
	g := t.add(p, mappings, s)
	if before != nil {
		g.readings = before.readings + 1
	}
	g.perfMap = t.perfMapOf(before, g)
	until := time.Now().Add(openPatience)
	for i := range g.mappings {
		if time.Now().After(until) {
			break // their file system hardly answers, and meanwhile samples get lost
		}
		g.mappings[i].file = t.open(p, g.mappings[i].Mapping)
	}
	if t.wants(g) {
		t.changed(s.program, p.PID, g.mappings)
	} else {
		t.changed(s.program, p.PID, nil)
	}
	return g
}

// ended is a program that is gone before it could be read. If it was forked and did not execute another one,
// it had what its parent has mapped.
func (t *processTable) ended(s *sample) *generation {
	g := t.add(&proc.Process{PID: int(s.pid), NSPID: int(s.ownPID), Name: strings.ToValidUTF8(s.comm, "\uFFFD")}, nil, s)
	if parent := t.parent(s); parent != nil {
		g.mappings, g.perfMap, g.foreign = parent.mappings, parent.perfMap, parent.foreign
	} else {
		g.foreign = t.slot != ""

		t.unread++
	}
	return g
}

// parent gives what a sample's process was forked from, nil if it or its parent has executed another program.
func (t *processTable) parent(s *sample) *generation {
	if p := t.current[s.parent.tgid]; p != nil && p.program == s.parent && s.parent.execs == s.program.execs {
		return p
	}
	return nil
}

// executedSince tells whether a process has executed another program since the sample was taken: its code was
// where its parent has some, and there is none now.
func (t *processTable) executedSince(s *sample, now []proc.Mapping) bool {
	parent := t.parent(s)
	if parent == nil || len(s.user) == 0 {
		return false
	}
	leaf := s.user[0] &^ marks
	in := func(m proc.Mapping) bool { return m.Start <= leaf && leaf < m.End }
	return parent.find(leaf) != nil && !slices.ContainsFunc(now, in)
}

// openPatience bounds how long the files of one process are opened.
const openPatience = 2 * time.Second

// maxKeptMappings bounds the memory, some 200 bytes each, for mappings that a target changes all the
// time: a process may have 65,530 of them (vm.max_map_count), and each reading is kept.
const maxKeptMappings = 1 << 17

var errEnded = errors.New("the process has ended")

var errTooManyMappings = errors.New("too many mappings to keep")

// has tells whether a process's mappings are still those that were read.
func (g *generation) has(mappings []proc.Mapping) bool {
	return slices.EqualFunc(g.mappings, mappings, func(a mapping, b proc.Mapping) bool { return a.Mapping == b })
}

func (t *processTable) add(p *proc.Process, mappings []proc.Mapping, s *sample) *generation {
	t.ids++
	g := &generation{id: t.ids, process: p, read: time.Now(), program: s.program}
	for _, m := range mappings {
		g.mappings = append(g.mappings, mapping{Mapping: m})
	}
	slices.SortFunc(g.mappings, func(a, b mapping) int {
		if a.Start < b.Start {
			return -1
		}
		return 1
	})
	return g
}

// open opens a mapping's file once for all processes that share it. Without the file its mapping is
// shown by its path.
func (t *processTable) open(p *proc.Process, m proc.Mapping) *proc.File {
	if m.Inode == 0 || len(t.files) >= maxFiles {
		return nil
	}
	f, err := p.OpenMapping(m)
	if err != nil {
		return nil
	}
	dev, inode := f.Key()
	if known := t.files[fileKey{dev, inode}]; known != nil {
		f.Close()
		return known
	}
	t.files[fileKey{dev, inode}] = f
	return f
}

// maxFiles bounds the files that a target can make us hold open.
const maxFiles = 4096

func (t *processTable) close() error {
	var errs []error
	for _, f := range t.files {
		errs = append(errs, f.Close())
	}
	t.files = map[fileKey]*proc.File{}
	for _, m := range t.perfMaps {
		errs = append(errs, m.close())
	}
	t.perfMaps = nil
	return errors.Join(errs...)
}

// selects tells whether a process is among those asked for.
func selects(pids []int, nspid int) bool { return len(pids) == 0 || slices.Contains(pids, nspid) }
