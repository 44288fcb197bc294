//go:build linux

package unwindmaps

import (
	"debug/elf"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
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
		table   Object
		want    []r
	}{
		{"no table", mapped, Object{}, []r{{mapped.Start, mapped.End, 0, 0}}},
		{"one part", mapped, Object{segments: object.CodeSegments{segment}, parts: []tablePart{part}}, []r{
			{0x7f0000001000, 0x7f0000001100, 0, 0}, {0x7f0000001100, 0x7f0000002000, 0x401100 + load, 7}, {0x7f0000002000, 0x7f0000004000, 0, 0},
		}},
		{"two parts", mapped, Object{segments: object.CodeSegments{segment}, parts: []tablePart{part, next}}, []r{
			{0x7f0000001000, 0x7f0000001100, 0, 0}, {0x7f0000001100, 0x7f0000002000, 0x401100 + load, 7},
			{0x7f0000002000, 0x7f0000003000, 0x401100 + load, 20}, {0x7f0000003000, 0x7f0000004000, 0, 0},
		}},
		{"half of a table", proc.Mapping{Start: 0x7f0000002000, End: 0x7f0000002800, Offset: 0x2000},
			Object{segments: object.CodeSegments{segment}, parts: []tablePart{part, next}}, []r{{0x7f0000002000, 0x7f0000002800, 0x401100 + load, 20}}},
		{"mapping of another segment", proc.Mapping{Start: 0x7f0000001000, End: 0x7f0000002000, Offset: 0x9000},
			Object{segments: object.CodeSegments{segment}, parts: []tablePart{part}}, []r{{0x7f0000001000, 0x7f0000002000, 0, 0}}},
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

// Entries in use are never allocated again, for any order of allocations and releases.
func TestFindRoom(t *testing.T) {
	need.Root(t)
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: 64})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	r := NewRanges(&bpf.CPUMaps{UnwindRanges: m, UnwindProcesses: m}, nil)
	random := rand.New(rand.NewPCG(1, 2))
	full := 0
	for i := range 10_000 {
		if content := fmt.Sprint(random.IntN(i + 1)); random.IntN(2) == 0 {
			delete(r.spans, content)
		}
		count := random.IntN(12)
		first, err := r.findRoom(count)
		if err != nil {
			full++
			clear(r.spans)
			continue
		}
		for _, s := range r.spans {
			if first < s.first+s.count && s.first < first+count {
				t.Fatalf("entries %d to %d were allocated, but %d to %d are in use", first, first+count, s.first, s.first+s.count)
			}
		}
		r.spans[fmt.Sprint(i)] = &span{first: first, count: count}
	}
	if full == 0 {
		t.Error("the map of 64 entries was never full")
	}
}
