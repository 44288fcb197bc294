//go:build linux

package process

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/kernel"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/run"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// Generation is a process with its mappings at one time. A process gets a new generation when it executes
// another program or when its mappings change. A stack is resolved with the generation it was sampled in.
type Generation struct {
	ID       int
	Process  *proc.Process
	Mappings []Mapping              // sorted by address; nil if they could not be read
	last     *Mapping               // last result of FindMapping; consecutive frames are mostly in the same mapping
	read     time.Time              // when the mappings were last read
	readings int                    // how often this program's mappings were read before
	identity record.ProcessIdentity // identity in the samples of this generation
	PerfMap  *PerfMap               // nil if the process has no JIT-compiled code
	Sampled  bool                   // a sample of this generation was kept
	foreign  bool                   // excluded, or of another container
	cut      bool                   // only the first mappings are known; reading them again would take as long
	proof    proof
	// sampledAt is the time of the last sample, in ns of CLOCK_MONOTONIC.
	sampledAt uint64
}

// Mapping is an executable range of a process and the file behind it, nil if there is none.
type Mapping struct {
	proc.Mapping
	File *proc.File
}

// FindMapping returns the mapping that contains an address, or nil if there is none.
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

// Table holds the generations of all sampled processes and their open files.
type Table struct {
	only       []int  // PIDs, in the container's namespace, of the wanted processes; all if empty
	KubeletDir string // kubelet's directory of the wanted container, see proc.KubeletDir; all containers if empty
	// LeaveOut reports whether to exclude the process with a PID in our namespace. It may be nil.
	LeaveOut func(int) bool
	// Runs reports whether a process still runs the program of its samples. It may be nil.
	Runs      func(record.ProcessIdentity) bool
	asking    run.Allowance // for Runs
	current   map[uint32]*Generation
	ids       int // last ID of a generation
	kept      int // number of mappings of all generations
	keptPaths int // bytes of their paths
	Unread    int // number of processes that exited before their mappings were read
	// CutMappings is the number of processes that have more mappings than are read.
	CutMappings int
	// Packed describes processes whose executable is packed, so that their code has no names.
	Packed []string
	// changed is called when a process's mappings were read. It gets no mappings of an unwanted process.
	changed func(record.ProcessIdentity, int, []Mapping)
	files   map[proc.Content]*proc.File
	opening run.Allowance // for opening files

	perfMaps []*PerfMap // perf maps of all processes
}

// NewTable returns an empty table. It calls changed with a process's identity, its PID in our namespace and
// its mappings whenever these were read.
func NewTable(only []int, changed func(record.ProcessIdentity, int, []Mapping)) *Table {
	return &Table{only: only, changed: changed, current: map[uint32]*Generation{}, files: map[proc.Content]*proc.File{}, opening: run.Allowance{Fixed: maxOpening}, asking: run.Allowance{Fixed: maxAsking}}
}

// rereadAfter returns the least time between two readings of the mappings. It bounds the cost of code outside
// of all mappings. The time grows with each reading, because a program maps most libraries at its start.
func (g *Generation) rereadAfter() time.Duration {
	return min(time.Millisecond<<min(g.readings, 8), 200*time.Millisecond)
}

// Lookup returns the generation that a sample belongs to, and whether its process is wanted.
func (t *Table) Lookup(s *record.Sample) (*Generation, bool) {
	g := t.current[s.Process.TGID]
	var executed *Generation // the previous program of the process
	if g != nil && g.identity != s.Process {
		g.PerfMap.markReplaced()
		if g.identity.Started == s.Process.Started {
			executed = g
			t.hide(g)
		}
		g = nil // the process executes another program
	}
	if g != nil && g.provedBy(s) {
		t.prove(g)
	}
	if g == nil || !g.foreign && !g.cut && g.Process.StartTime != 0 && t.outside(g, s) && time.Since(g.read) > g.rereadAfter() {
		before := g
		if g = t.read(s, before, executed != nil); g != before {
			g.follow(cmp.Or(before, executed))
			if executed != nil {
				g.PerfMap.follow(executed)
			}
			if g.proof.given {
				t.prove(g)
			}
		}
		t.current[s.Process.TGID] = g
	}
	g.sampledAt = max(g.sampledAt, s.Time)
	return g, t.wants(g)
}

func (t *Table) wants(g *Generation) bool {
	return !g.foreign && Selects(t.only, g.Process.NSPID)
}

// isForeign reports whether a process is excluded or not in the wanted container of the pod. A process that
// the container runtime is still preparing is in no container.
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

// Forget removes a process, which is read again at its next sample. pid is in our namespace.
func (t *Table) Forget(pid int) {
	maps.DeleteFunc(t.current, func(_ uint32, g *Generation) bool { return g.Process.PID == pid })
}

// outside reports whether a stack has code outside of the known mappings. The process has then mapped a library
// since they were read.
func (t *Table) outside(g *Generation, s *record.Sample) bool {
	leaf, ok := s.User.Leaf()
	return s.End == bpf.CPUWalkEndEND_UNMAPPED || ok && g.FindMapping(leaf) == nil
}

// read reads a process and its mappings, and returns its generation. If the process has exited, it returns
// the previous generation. executes is set if the process has executed another program before.
func (t *Table) read(s *record.Sample, before *Generation, executes bool) *Generation {
	p, err := proc.Open(int(s.PID))
	var mappings []proc.Mapping
	cut := false
	if err == nil && s.PID != 0 {
		mappings, cut, err = t.readMappings(p)
	}
	if err == nil && len(mappings) == 0 {
		err = errEnded // the process is a zombie, or about to become one
	}
	if err == nil && before == nil && t.executedSince(s, mappings) {
		return t.ended(s)
	}
	if before != nil && err == nil && s.PID != 0 && before.has(mappings) {
		before.read = time.Now()
		before.readings++
		before.cut = cut
		return before
	}
	paths := pathBytes(mappings)
	if err == nil && (t.kept+len(mappings) > maxKeptMappings || t.keptPaths+paths > maxKeptPaths) {
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
	t.keptPaths += paths
	g := t.add(p, mappings, s)
	g.cut = cut
	g.proof = proof{readAt: kernel.Monotonic(), parent: t.parent(s)}
	g.proof.given = executes && t.runs(s.Process)
	if before != nil {
		g.readings = before.readings + 1
	}
	if !t.wants(g) {
		t.changed(s.Process, p.PID, nil)
		return g
	}
	g.PerfMap = t.findOrAddPerfMap(before, g)
	began := time.Now()
	if before == nil || !before.hasAnonymousCode() {
		t.checkPacked(g)
	}
	until := began.Add(min(openPatience, t.opening.Left()))
	for i := range g.Mappings {
		if time.Now().After(until) {
			break // the file system is slow, and samples are lost meanwhile
		}
		g.Mappings[i].File = t.open(p, g.Mappings[i].Mapping)
	}
	t.opening.Spend(began)
	t.changed(s.Process, p.PID, g.Mappings)
	return g
}

// readMappings reads the mappings of a process, and reports whether there are more than it returns.
func (t *Table) readMappings(p *proc.Process) (mappings []proc.Mapping, cut bool, err error) {
	if t.CutMappings >= maxCutMappings {
		return nil, false, errTooManyMappings
	}
	mappings, err = p.Mappings()
	if errors.Is(err, proc.ErrMappingsCut) {
		t.CutMappings++
		return mappings, true, nil
	}
	return mappings, false, err
}

// pathBytes returns the bytes of the mappings' paths. Equal ones that follow each other count once.
func pathBytes(mappings []proc.Mapping) int {
	n, last := 0, ""
	for _, m := range mappings {
		if m.Path != last {
			n += len(m.Path)
		}
		last = m.Path
	}
	return n
}

// ended returns the generation of a process that exited before it could be read. If it was forked and has not
// executed another program, it has its parent's mappings.
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

// parent returns the generation that a sample's process was forked from, or nil if either process has executed
// another program since.
func (t *Table) parent(s *record.Sample) *Generation {
	if p := t.current[s.Parent.TGID]; p != nil && p.identity == s.Parent && s.Parent.Execs == s.Process.Execs {
		return p
	}
	return nil
}

// executedSince reports whether a process has executed another program since the sample was taken. The leaf is
// then in a mapping of the parent, but in none of the current mappings.
func (t *Table) executedSince(s *record.Sample, now []proc.Mapping) bool {
	parent := t.parent(s)
	leaf, ok := s.User.Leaf()
	if parent == nil || !ok {
		return false
	}
	in := func(m proc.Mapping) bool { return m.Start <= leaf && leaf < m.End }
	return parent.FindMapping(leaf) != nil && !slices.ContainsFunc(now, in)
}

// Bounds on the time for opening files, of one process and of all. A file takes some 50 µs, and a process has a few dozen.
const (
	openPatience = 2 * time.Second
	maxOpening   = 5 * time.Second // see run.Allowance
)

// maxKeptMappings bounds the memory for mappings, about 200 bytes each. A process may have 65,530 of them
// (vm.max_map_count) and change them all the time, and each generation is kept.
const maxKeptMappings = 1 << 17

// maxKeptPaths bounds the bytes of the paths of all kept mappings. 1,000 processes with 100 libraries
// have 5 MB.
const maxKeptPaths = 16 << 20

// maxCutMappings bounds the processes with more mappings than are read, because each reading takes up to
// a second, in which samples are lost. No process is read after that many. Real programs have none.
const maxCutMappings = 8

var errEnded = errors.New("the process has exited")

var errTooManyMappings = errors.New("too many mappings to keep")

// has reports whether the process's mappings are still the given ones.
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

// open returns a mapping's file, which all processes share that have mapped the same content. It returns nil if the
// file cannot be opened; the mapping is then shown by its path.
func (t *Table) open(p *proc.Process, m proc.Mapping) *proc.File {
	if m.Inode == 0 || len(t.files) >= maxFiles {
		return nil
	}
	f, err := p.OpenMapping(m)
	if err != nil {
		return nil
	}
	if known := t.files[f.Content()]; known != nil {
		f.Close()
		return known
	}
	t.files[f.Content()] = f
	return f
}

// maxPacked bounds the processes in Packed. A comment of the profile has each.
const maxPacked = 5

// checkPacked adds a process to Packed if its executable is packed. Such a process has no code in a file.
func (t *Table) checkPacked(g *Generation) {
	if len(t.Packed) >= maxPacked || !g.hasAnonymousCode() {
		return
	}
	if packer := g.Process.Packer(); packer != "" {
		t.Packed = append(t.Packed, fmt.Sprintf("process %d (%s) is packed by %s, so its functions have no names and only frame pointers "+
			"lead to its callers; profile it as it was before it was packed", g.Process.NSPID, g.Process.Name, packer))
	}
}

// maxFiles bounds the files that a target can make us hold open.
const maxFiles = 4096

// Close closes all files.
func (t *Table) Close() error {
	var errs []error
	for _, f := range t.files {
		errs = append(errs, f.Close())
	}
	t.files = map[proc.Content]*proc.File{}
	for _, m := range t.perfMaps {
		errs = append(errs, m.close())
	}
	t.perfMaps = nil
	return errors.Join(errs...)
}

// Selects reports whether pids is empty or contains nspid, a PID in the container's namespace.
func Selects(pids []int, nspid int) bool { return len(pids) == 0 || slices.Contains(pids, nspid) }
