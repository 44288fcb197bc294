//go:build linux

package unwindmaps

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/cilium/ebpf"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/unwind"
)

// Ranges maintains the BPF maps from a process's addresses to unwind tables.
type Ranges struct {
	maps      *bpf.CPUMaps
	tables    *Tables
	processes map[uint32]*ranged // by PID in the kernel's first PID namespace
	spans     map[string]*span   // by content; forked processes share a span
}

// ranged is a process whose ranges are loaded.
type ranged struct {
	pid  int // in our PID namespace
	span *span
}

// span is a run of consecutive entries in the map of ranges.
type span struct {
	first, count int
	users        int // number of processes that refer to it
	content      string
}

var errRangesFull = errors.New("the target has too many executable mappings for the map of ranges")

// NewRanges returns ranges that are loaded into maps and refer to tables.
func NewRanges(maps *bpf.CPUMaps, tables *Tables) *Ranges {
	return &Ranges{maps: maps, tables: tables, processes: map[uint32]*ranged{}, spans: map[string]*span{}}
}

// Set loads the unwind tables of a process's mappings and the ranges that refer to them. pid is in our PID
// namespace. If Set returns an error, for example because a map is full, the BPF program follows the process's
// frame pointers.
func (r *Ranges) Set(p record.ProcessIdentity, pid int, mappings []process.Mapping) error {
	var all []bpf.CPUUnwindRange
	var described bpf.CPUUnwindProcess
	hasRuntime := false
	for i := range mappings {
		if mappings[i].Start >= kernelHalf { // [vsyscall], which current programs do not execute
			continue
		}
		o := r.tables.Lookup(&mappings[i])
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
	described.FirstRange, described.RangeCount = uint32(s.first), uint32(s.count)
	if err := r.maps.UnwindProcesses.Put(p.TGID, described); err != nil {
		return fmt.Errorf("unwind tables of process %d: %w", pid, err)
	}
	s.users++
	if before := r.processes[p.TGID]; before != nil {
		r.release(before.span)
	}
	r.processes[p.TGID] = &ranged{pid: pid, span: s}
	return nil
}

// appendRanges splits a mapping into ranges with and without a table, and appends them to all.
func appendRanges(all []bpf.CPUUnwindRange, m *proc.Mapping, o *Object) []bpf.CPUUnwindRange {
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
func (o *Object) bias(m *proc.Mapping) (uint64, bool) {
	return o.segments.Bias(m.Start, m.Offset)
}

const (
	pageSize   = 4096
	kernelHalf = 1 << 63 // start of the kernel's addresses; the BPF program compares only addresses below it
)

// findOrLoadSpan returns the span with the given ranges. It loads them into the map if there is none.
func (r *Ranges) findOrLoadSpan(all []bpf.CPUUnwindRange) (*span, error) {
	var content bytes.Buffer
	if err := binary.Write(&content, binary.NativeEndian, all); err != nil {
		return nil, err
	}
	if s := r.spans[content.String()]; s != nil {
		return s, nil
	}
	first, err := r.findRoom(len(all))
	if err != nil {
		r.removeEnded()
		if first, err = r.findRoom(len(all)); err != nil {
			return nil, err
		}
	}
	s := &span{first: first, count: len(all), content: content.String()}
	if len(all) > 0 {
		keys := make([]uint32, len(all))
		for i := range keys {
			keys[i] = uint32(first + i)
		}
		if _, err := r.maps.UnwindRanges.BatchUpdate(keys, all, nil); err != nil {
			return nil, fmt.Errorf("load ranges of mappings: %w", err)
		}
	}
	r.spans[s.content] = s
	return s, nil
}

// findRoom returns the index of the first of count consecutive free entries.
func (r *Ranges) findRoom(count int) (int, error) {
	used := make([]*span, 0, len(r.spans))
	for _, s := range r.spans {
		used = append(used, s)
	}
	slices.SortFunc(used, func(a, b *span) int { return a.first - b.first })
	at := 0
	for _, s := range used {
		if s.first-at >= count {
			return at, nil
		}
		at = max(at, s.first+s.count) // max, because an empty span may start at the same entry as another span
	}
	if int(r.maps.UnwindRanges.MaxEntries())-at < count || len(r.processes) >= int(r.maps.UnwindProcesses.MaxEntries()) {
		return 0, errRangesFull
	}
	return at, nil
}

// release frees a span's entries if no process uses them any more. If the BPF program is reading them at that
// moment, it may use a wrong table for one stack, which package verify checks.
func (r *Ranges) release(s *span) {
	if s.users--; s.users <= 0 {
		delete(r.spans, s.content)
	}
}

// removeEnded removes the processes that have exited.
func (r *Ranges) removeEnded() {
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
}

// vdsoTable compiles the unwind table of the vDSO, which the kernel maps into every process.
func vdsoTable(rules *unwind.RuleSet) (*object.File, *unwind.Table, error) {
	f, err := object.Open(bytes.NewReader(proc.VDSO()))
	if err != nil {
		return nil, nil, err
	}
	t, err := unwind.CompileVDSO(f, rules)
	return f, t, err
}
