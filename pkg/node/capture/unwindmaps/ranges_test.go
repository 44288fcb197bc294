//go:build linux

package unwindmaps

import (
	"context"
	"debug/elf"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// A mapping is split where its object's table starts, ends and continues in another index block.
func TestAppendRanges(t *testing.T) {
	type r struct {
		start, end, bias uint64
		index            uint32
	}
	segment := elf.ProgHeader{Type: elf.PT_LOAD, Flags: elf.PF_X, Off: 0x1000, Vaddr: 0x401000, Filesz: 0x3000}
	part := tablePart{start: 0x401100, end: 0x402000, base: 0x401100, index: 7}
	next := tablePart{start: 0x402000, end: 0x403000, base: 0x401100, index: 20}
	mapped := proc.Mapping{Start: 0x7f0000001000, End: 0x7f0000004000, Offset: 0x1000}
	const load = 0x7f0000000000 - 0x400000
	cases := []struct {
		name    string
		mapping proc.Mapping
		table   objectTable
		want    []r
	}{
		{"no table", mapped, objectTable{}, []r{{mapped.Start, mapped.End, 0, 0}}},
		{"one part", mapped, objectTable{segments: object.CodeSegments{segment}, parts: []tablePart{part}}, []r{
			{0x7f0000001000, 0x7f0000001100, 0, 0}, {0x7f0000001100, 0x7f0000002000, 0x401100 + load, 7}, {0x7f0000002000, 0x7f0000004000, 0, 0},
		}},
		{"two parts", mapped, objectTable{segments: object.CodeSegments{segment}, parts: []tablePart{part, next}}, []r{
			{0x7f0000001000, 0x7f0000001100, 0, 0}, {0x7f0000001100, 0x7f0000002000, 0x401100 + load, 7},
			{0x7f0000002000, 0x7f0000003000, 0x401100 + load, 20}, {0x7f0000003000, 0x7f0000004000, 0, 0},
		}},
		{"half of a table", proc.Mapping{Start: 0x7f0000002000, End: 0x7f0000002800, Offset: 0x2000},
			objectTable{segments: object.CodeSegments{segment}, parts: []tablePart{part, next}}, []r{{0x7f0000002000, 0x7f0000002800, 0x401100 + load, 20}}},
		{"mapping of another segment", proc.Mapping{Start: 0x7f0000001000, End: 0x7f0000002000, Offset: 0x9000},
			objectTable{segments: object.CodeSegments{segment}, parts: []tablePart{part}}, []r{{0x7f0000001000, 0x7f0000002000, 0, 0}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := appendRanges(nil, &c.mapping, &c.table)
			if !slices.EqualFunc(got, c.want, func(a bpf.CPUUnwindRange, b r) bool {
				return a.Start == b.start && a.End == b.end && a.Bias == b.bias && a.Index == b.index
			}) {
				t.Errorf("got %x\nwant %x", got, c.want)
			}
		})
	}
}

// Entries in use are never allocated again, and no span is in two chunks, for any order of allocations and releases.
func TestFindRoom(t *testing.T) {
	need.Root(t)
	const chunks, perChunk = 4, 32
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: chunks})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	r := NewRanges(&bpf.CPUMaps{UnwindRanges: m, UnwindProcesses: m}, &ebpf.MapSpec{MaxEntries: perChunk}, nil)
	random := rand.New(rand.NewPCG(1, 2))
	full := 0
	for range 10_000 {
		if n := len(r.used); n > 0 && random.IntN(2) == 0 {
			r.release(r.used[random.IntN(n)])
		}
		s := &span{count: 1 + random.IntN(12)}
		at, err := r.findRoom(s)
		if err != nil {
			full++
			r.used = nil
			continue
		}
		for _, other := range r.used {
			if s.first < other.first+other.count && other.first < s.first+s.count {
				t.Fatalf("entries %d to %d were allocated, but %d to %d are in use", s.first, s.first+s.count, other.first, other.first+other.count)
			}
		}
		if last := s.first + s.count - 1; s.first/perChunk != last/perChunk || last >= chunks*perChunk {
			t.Fatalf("entries %d to %d are not in one of %d chunks of %d", s.first, last, chunks, perChunk)
		}
		r.used = slices.Insert(r.used, at, s)
		if !slices.IsSortedFunc(r.used, func(a, b *span) int { return a.first - b.first }) {
			t.Fatal("the spans are not in the order of their entries")
		}
	}
	if full == 0 {
		t.Errorf("the map of %d entries was never full", chunks*perChunk)
	}
}

// The ranges of 1,000 processes that were started by exec, each with 40 libraries at addresses of its own, have room.
func TestRangesOfManyProcesses(t *testing.T) {
	need.Root(t)
	spec, err := bpf.LoadCPU()
	if err != nil {
		t.Fatal(err)
	}
	newMap := func(name string) *ebpf.Map {
		m, err := ebpf.NewMap(spec.Maps[name])
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		return m
	}
	outer := newMap(bpf.CPUMapUnwindRanges)
	maps := &bpf.CPUMaps{UnwindRanges: outer, UnwindProcesses: newMap(bpf.CPUMapUnwindProcesses), UnwindChanges: newMap(bpf.CPUMapUnwindChanges)}
	r := NewRanges(maps, spec.Maps[bpf.CPUMapUnwindRanges].InnerMap, NewTables(maps, nil, nil))
	defer r.Close()
	const processes, libraries = 1000, 40
	for pid := range uint32(processes) {
		var mappings []process.Mapping
		for n := range uint64(libraries) {
			start := uint64(pid)<<32 + n<<20
			mappings = append(mappings, process.Mapping{Mapping: proc.Mapping{Start: start, End: start + 1<<19}})
		}
		identity := record.ProcessIdentity{TGID: pid + 1}
		for range 2 { // the second time the span exists
			if err := r.Set(context.Background(), identity, int(pid)+1, mappings); err != nil {
				t.Fatalf("process %d: %v", pid, err)
			}
		}
		var p bpf.CPUUnwindProcess
		if err := maps.UnwindProcesses.Lookup(identity.TGID, &p); err != nil || p.RangeCount != libraries {
			t.Fatalf("process %d has %d ranges, want %d (%v)", pid, p.RangeCount, libraries, err)
		}
		var got bpf.CPUUnwindRange
		last := p.FirstRange + p.RangeCount - 1
		if err := r.chunks[int(last)/r.perChunk()].Lookup(last%uint32(r.perChunk()), &got); err != nil ||
			got.Start != mappings[libraries-1].Start || got.End != mappings[libraries-1].End {
			t.Fatalf("the last range of process %d is %x, want %+v (%v)", pid, got, mappings[libraries-1].Mapping, err)
		}
	}
	if n := len(r.chunks); n != 3 {
		t.Errorf("%d chunks of %d ranges for %d ranges, want 3", n, r.perChunk(), processes*libraries)
	}
}
