//go:build linux

package unwindmaps

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/cilium/ebpf"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// Ranges maintains the BPF maps from a process's addresses to unwind tables. Memory is allocated in chunks, because it
// counts against the target's memory limit.
type Ranges struct {
	maps      *bpf.CPUMaps
	tables    *Tables
	chunk     *ebpf.MapSpec
	chunks    []*ebpf.Map
	processes map[uint32]*ranged // by PID in the kernel's first PID namespace
	spans     map[digest]*span   // forked processes share a span
	lastSpan  uint32
	changes   uint32  // of maps.UnwindProcesses so far
	used      []*span // those with entries, in the order of their entries
}

// ranged is a process whose ranges are loaded.
type ranged struct {
	pid  int // in our PID namespace
	span *span
}

// span is a run of consecutive ranges in one chunk.
type span struct {
	first, count int    // entries are numbered through all chunks
	id           uint32 // never reused, and not 0
	users        int    // number of processes that refer to it
	content      digest
}

// digest identifies the ranges of a span.
type digest [sha256.Size]byte

var errRangesFull = errors.New("the target has too many executable mappings for the map of ranges")

// NewRanges returns ranges that are loaded into maps, in chunks that are created from the map spec chunk, and refer to
// tables.
func NewRanges(maps *bpf.CPUMaps, chunk *ebpf.MapSpec, tables *Tables) *Ranges {
	return &Ranges{maps: maps, chunk: chunk, tables: tables, processes: map[uint32]*ranged{}, spans: map[digest]*span{}}
}

// Set loads the unwind tables of a process's mappings and the ranges that refer to them. pid is in our PID
// namespace. If Set returns an error, for example because a map is full, the BPF program follows the process's
// frame pointers. When ctx is done it loads no further table and returns the context's error.
func (r *Ranges) Set(ctx context.Context, p record.ProcessIdentity, pid int, mappings []process.Mapping) error {
	var all []bpf.CPUUnwindRange
	var described bpf.CPUUnwindProcess
	hasRuntime := false
	for i := range mappings {
		if err := ctx.Err(); err != nil {
			return err
		}
		if mappings[i].Start >= kernelHalf { // [vsyscall], which current programs do not execute
			continue
		}
		o := r.tables.lookup(&mappings[i])
		all = appendRanges(all, &mappings[i].Mapping, o)
		if o.hasRuntime && !hasRuntime {
			described, hasRuntime = o.process, true
		}
	}
	s, err := r.findOrLoadSpan(all)
	if err != nil {
		return err
	}
	described.Started, described.Execs = p.Started, p.Execs
	described.FirstRange, described.RangeCount, described.Span = uint32(s.first), uint32(s.count), s.id
	if err := r.maps.UnwindProcesses.Put(p.TGID, described); err != nil {
		return fmt.Errorf("unwind tables of process %d: %w", pid, err)
	}
	if err := r.announceChange(); err != nil {
		return err
	}
	s.users++
	if before := r.processes[p.TGID]; before != nil {
		r.release(before.span)
	}
	r.processes[p.TGID] = &ranged{pid: pid, span: s}
	return nil
}

// announceChange makes the BPF program look up processes again. It must be called after each change of
// maps.UnwindProcesses.
func (r *Ranges) announceChange() error {
	r.changes++
	if err := r.maps.UnwindChanges.Put(uint32(0), r.changes); err != nil {
		return fmt.Errorf("announce changed unwind tables: %w", err)
	}
	return nil
}

// appendRanges splits a mapping into ranges with and without a table, and appends them to all.
func appendRanges(all []bpf.CPUUnwindRange, m *proc.Mapping, o *objectTable) []bpf.CPUUnwindRange {
	at := m.Start
	add := func(end uint64, bias uint64, index uint32) {
		if end > at {
			all = append(all, bpf.CPUUnwindRange{Start: at, End: end, Bias: bias, Index: index})
			at = end
		}
	}
	if load, ok := o.bias(m); ok {
		for _, p := range o.parts {
			start, end := p.start+load, p.end+load
			if end <= at || start >= m.End || end < start {
				continue
			}
			add(min(start, m.End), 0, 0)
			add(min(end, m.End), p.base+load, p.index)
		}
	}
	add(m.End, 0, 0)
	return all
}

// bias returns the load bias: the difference between the process's addresses and those in the object file.
func (o *objectTable) bias(m *proc.Mapping) (uint64, bool) {
	return o.segments.Bias(m.Start, m.Offset)
}

const (
	pageSize   = 4096
	kernelHalf = 1 << 63 // start of the kernel's addresses; the BPF program compares only addresses below it
)

// findOrLoadSpan returns the span with the given ranges. It loads them into a chunk if there is none.
func (r *Ranges) findOrLoadSpan(all []bpf.CPUUnwindRange) (*span, error) {
	content := sha256.New()
	if err := binary.Write(content, binary.NativeEndian, all); err != nil {
		return nil, err
	}
	s := &span{count: len(all), content: digest(content.Sum(nil))}
	if known := r.spans[s.content]; known != nil {
		return known, nil
	}
	at, err := r.findRoom(s)
	if err != nil {
		if err := r.removeEnded(); err != nil {
			return nil, err
		}
		if at, err = r.findRoom(s); err != nil {
			return nil, err
		}
	}
	if s.count > 0 {
		if err := r.load(s, all); err != nil {
			return nil, err
		}
		r.used = slices.Insert(r.used, at, s)
	}
	r.lastSpan++
	s.id = r.lastSpan
	r.spans[s.content] = s
	return s, nil
}

// load writes a span's ranges into its chunk.
func (r *Ranges) load(s *span, all []bpf.CPUUnwindRange) error {
	number, at := s.first/r.perChunk(), s.first%r.perChunk()
	for len(r.chunks) <= number { // findRoom skips no chunk
		m, err := newChunk(r.chunk, r.maps.UnwindRanges, uint32(len(r.chunks)))
		if err != nil {
			return fmt.Errorf("allocate memory for ranges of mappings: %w", err)
		}
		r.chunks = append(r.chunks, m)
	}
	keys := make([]uint32, len(all))
	for i := range keys {
		keys[i] = uint32(at + i)
	}
	if _, err := r.chunks[number].BatchUpdate(keys, all, nil); err != nil {
		return fmt.Errorf("load ranges of mappings: %w", err)
	}
	return nil
}

// newChunk creates an inner map from its spec and puts it into the outer map.
func newChunk(spec *ebpf.MapSpec, outer *ebpf.Map, number uint32) (*ebpf.Map, error) {
	m, err := ebpf.NewMap(spec)
	if err != nil {
		return nil, err
	}
	if err := outer.Put(number, m); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// perChunk returns the number of ranges that a chunk has room for.
func (r *Ranges) perChunk() int { return int(r.chunk.MaxEntries) }

// findRoom sets the first of a span's entries, all of which are free and in one chunk. It returns the position in used
// at which the span belongs.
func (r *Ranges) findRoom(s *span) (at int, err error) {
	if s.count > r.perChunk() || len(r.processes) >= int(r.maps.UnwindProcesses.MaxEntries()) {
		return 0, errRangesFull
	}
	first := 0
	for i := 0; ; i++ {
		if left := r.perChunk() - first%r.perChunk(); left < s.count {
			first += left
		}
		if i == len(r.used) || r.used[i].first-first >= s.count {
			at = i
			break
		}
		first = max(first, r.used[i].first+r.used[i].count)
	}
	if first+s.count > r.perChunk()*int(r.maps.UnwindRanges.MaxEntries()) {
		return 0, errRangesFull
	}
	s.first = first
	return at, nil
}

// release frees a span's entries if no process uses them any more. If the BPF program is reading them at that
// moment, it may use a wrong table for one stack, which package verify checks.
func (r *Ranges) release(s *span) {
	if s.users--; s.users <= 0 {
		delete(r.spans, s.content)
		r.used = slices.DeleteFunc(r.used, func(other *span) bool { return other == s })
	}
}

// Close frees the kernel memory.
func (r *Ranges) Close() error {
	var errs []error
	for _, m := range r.chunks {
		errs = append(errs, m.Close())
	}
	r.chunks = nil
	return errors.Join(errs...)
}

// removeEnded removes the processes that have exited.
func (r *Ranges) removeEnded() error {
	for tgid, p := range r.processes {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", p.pid)); err == nil {
			continue
		}
		if err := r.maps.UnwindProcesses.Delete(tgid); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			continue
		}
		r.release(p.span)
		delete(r.processes, tgid)
	}
	return r.announceChange()
}
