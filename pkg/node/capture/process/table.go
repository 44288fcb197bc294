//go:build linux

package process

import (
	"errors"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// Generation is a process with its mappings as they were at some time. A process that executes
// another program gets a new one, and stacks are resolved by the one under which they came.
type Generation struct {
	ID       int
	Process  *proc.Process
	Mappings []Mapping // sorted by address; nil if they could not be read
	last     *Mapping  // that was found, for frames that follow each other are mostly in the same
	read     time.Time
	readings int                    // before that one, of the same program
	identity record.ProcessIdentity // that of the samples that belong to it
	PerfMap  *PerfMap               // nil if it makes no code at run time
	Sampled  bool                   // a sample of it was kept
	foreign  bool                   // it is of another container, or left out
}

// Mapping is an executable range of a process and the file behind it, nil if there is none.
type Mapping struct {
	proc.Mapping
	File *proc.File
}

// FindMapping gives the mapping of an address, nil if it is in none.
func (g *Generation) FindMapping(address uint64) *Mapping {
	if m := g.last; m != nil && m.Start <= address && address < m.End {
		return m
	}
	i := sort.Search(len(g.Mappings), func(i int) bool { return g.Mappings[i].End > address })
	if i < len(g.Mappings) && g.Mappings[i].Start <= address {
		g.last = &g.Mappings[i]
		return g.last
	}
	return nil
}

// Table knows the processes that were seen. Files are opened when a process is first seen,
// so that its stacks can be symbolized after it has ended.
type Table struct {
	only       []int  // PIDs to keep, all if empty
	KubeletDir string // of which to keep the processes; all if empty
	// LeaveOut tells by the PID in our namespace which processes not to keep; nil: none.
	LeaveOut func(int) bool
	current  map[uint32]*Generation
	ids      int
	kept     int // mappings of all generations
	Unread   int // processes that ended before their mappings were read
	// changed is told of a wanted process's mappings when they were read, and of none for others.
	changed func(record.ProcessIdentity, int, []Mapping)
	files   map[fileKey]*proc.File

	perfMaps []*PerfMap // of all processes
}

type fileKey struct{ dev, inode uint64 }

func NewTable(only []int, changed func(record.ProcessIdentity, int, []Mapping)) *Table {
	return &Table{only: only, changed: changed, current: map[uint32]*Generation{}, files: map[fileKey]*proc.File{}}
}

// rereadAfter keeps code outside of any mapping from making us read them over and over. A program maps most
// of its libraries when it has just begun, so it is read again soon then, and ever later.
func (g *Generation) rereadAfter() time.Duration {
	return min(time.Millisecond<<min(g.readings, 8), 200*time.Millisecond)
}

// Lookup gives the generation that a sample belongs to, and whether its process is wanted.
func (t *Table) Lookup(s *record.Sample) (*Generation, bool) {
	g := t.current[s.Process.TGID]
	if g != nil && g.identity != s.Process {
		g.PerfMap.replaced()
		g = nil // another program, at addresses that may be the same
	}
	if g == nil || !g.foreign && g.Process.StartTime != 0 && t.outside(g, s) && time.Since(g.read) > g.rereadAfter() {
		g = t.read(s, g)
		t.current[s.Process.TGID] = g
	}
	return g, t.wants(g)
}

func (t *Table) wants(g *Generation) bool {
	return !g.foreign && Selects(t.only, g.Process.NSPID)
}

// isForeign tells whether a process is left out, or of another container of the pod. One that a runtime is still preparing is of none.
func (t *Table) isForeign(pid int) bool {
	if t.LeaveOut != nil && t.LeaveOut(pid) {
		return true
	}
	if t.KubeletDir == "" {
		return false
	}
	dir, err := proc.KubeletDir(pid)
	return err != nil || dir != t.KubeletDir
}

// Forget has a process be read anew with its next sample. pid is in our namespace.
func (t *Table) Forget(pid int) {
	maps.DeleteFunc(t.current, func(_ uint32, g *Generation) bool { return g.Process.PID == pid })
}

// outside tells whether the stack leads to code in none of the known mappings: the process has mapped a
// library since they were read.
func (t *Table) outside(g *Generation, s *record.Sample) bool {
	leaf, ok := s.User.Leaf()
	return s.End == bpf.CPUWalkEndEND_UNMAPPED || ok && g.FindMapping(leaf) == nil
}

// read reads a process and its mappings. If it is gone, what was known stays.
func (t *Table) read(s *record.Sample, before *Generation) *Generation {
	p, err := proc.Open(int(s.PID))
	var mappings []proc.Mapping
	if err == nil && s.PID != 0 {
		mappings, err = p.Mappings()
	}
	if err == nil && len(mappings) == 0 {
		err = errEnded // it is a zombie, or about to become one
	}
	if err == nil && before == nil && t.executedSince(s, mappings) {
		return t.ended(s)
	}
	if before != nil && err == nil && s.PID != 0 && before.has(mappings) {
		before.read = time.Now()
		before.readings++
		return before
	}
	if err == nil && t.kept+len(mappings) > maxKeptMappings {
		err = errTooManyMappings
	}
	if err != nil || s.PID == 0 {
		if before != nil {
			before.read = time.Now()
			return before
		}
		return t.ended(s)
	}
	if t.isForeign(p.PID) {
		g := t.add(p, nil, s)
		g.foreign = true
		t.changed(s.Process, p.PID, nil)
		return g
	}
	t.kept += len(mappings)
	g := t.add(p, mappings, s)
	if before != nil {
		g.readings = before.readings + 1
	}
	g.PerfMap = t.perfMapOf(before, g)
	until := time.Now().Add(openPatience)
	for i := range g.Mappings {
		if time.Now().After(until) {
			break // their file system hardly answers, and meanwhile samples get lost
		}
		g.Mappings[i].File = t.open(p, g.Mappings[i].Mapping)
	}
	if t.wants(g) {
		t.changed(s.Process, p.PID, g.Mappings)
	} else {
		t.changed(s.Process, p.PID, nil)
	}
	return g
}

// ended is a program that is gone before it could be read. If it was forked and did not execute another one,
// it had what its parent has mapped.
func (t *Table) ended(s *record.Sample) *Generation {
	g := t.add(&proc.Process{PID: int(s.PID), NSPID: int(s.OwnPID), Name: strings.ToValidUTF8(s.Comm, "\uFFFD")}, nil, s)
	if parent := t.parent(s); parent != nil {
		g.Mappings, g.PerfMap, g.foreign = parent.Mappings, parent.PerfMap, parent.foreign
	} else {
		g.foreign = t.KubeletDir != ""

		t.Unread++
	}
	return g
}

// parent gives what a sample's process was forked from, nil if it or its parent has executed another program.
func (t *Table) parent(s *record.Sample) *Generation {
	if p := t.current[s.Parent.TGID]; p != nil && p.identity == s.Parent && s.Parent.Execs == s.Process.Execs {
		return p
	}
	return nil
}

// executedSince tells whether a process has executed another program since the sample was taken: its code was
// where its parent has some, and there is none now.
func (t *Table) executedSince(s *record.Sample, now []proc.Mapping) bool {
	parent := t.parent(s)
	leaf, ok := s.User.Leaf()
	if parent == nil || !ok {
		return false
	}
	in := func(m proc.Mapping) bool { return m.Start <= leaf && leaf < m.End }
	return parent.FindMapping(leaf) != nil && !slices.ContainsFunc(now, in)
}

// openPatience bounds how long the files of one process are opened.
const openPatience = 2 * time.Second

// maxKeptMappings bounds the memory, some 200 bytes each, for mappings that a target changes all the
// time: a process may have 65,530 of them (vm.max_map_count), and each reading is kept.
const maxKeptMappings = 1 << 17

var errEnded = errors.New("the process has ended")

var errTooManyMappings = errors.New("too many mappings to keep")

// has tells whether a process's mappings are still those that were read.
func (g *Generation) has(mappings []proc.Mapping) bool {
	return slices.EqualFunc(g.Mappings, mappings, func(a Mapping, b proc.Mapping) bool { return a.Mapping == b })
}

func (t *Table) add(p *proc.Process, mappings []proc.Mapping, s *record.Sample) *Generation {
	t.ids++
	g := &Generation{ID: t.ids, Process: p, read: time.Now(), identity: s.Process}
	for _, m := range mappings {
		g.Mappings = append(g.Mappings, Mapping{Mapping: m})
	}
	slices.SortFunc(g.Mappings, func(a, b Mapping) int {
		if a.Start < b.Start {
			return -1
		}
		return 1
	})
	return g
}

// open opens a mapping's file once for all processes that share it. Without the file its mapping is
// shown by its path.
func (t *Table) open(p *proc.Process, m proc.Mapping) *proc.File {
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

func (t *Table) Close() error {
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

// Selects tells whether a process is among those asked for.
func Selects(pids []int, nspid int) bool { return len(pids) == 0 || slices.Contains(pids, nspid) }
