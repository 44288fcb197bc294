//go:build linux

package capture

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

func TestStacksAreCountedByIdentity(t *testing.T) {
	one, two := &generation{id: 1}, &generation{id: 2}
	samples := []struct {
		name  string
		of    *generation
		s     sample
		count int64 // of its stack in the end
	}{
		{"first", one, sample{user: []uint64{1, 2}}, 2},
		{"same again", one, sample{user: []uint64{1, 2}}, 2},
		{"same addresses in another process", two, sample{user: []uint64{1, 2}}, 1},
		{"deeper", one, sample{user: []uint64{1, 2, 3}}, 1},
		{"one frame in the kernel", one, sample{kernel: []uint64{1}, user: []uint64{2}}, 1},
		{"all frames in the kernel", one, sample{kernel: []uint64{1, 2}}, 1},
		{"no frames", one, sample{}, 1},
	}
	table := newStackTable()
	for _, c := range samples {
		if !addOne(table, c.of, c.s.kernel, c.s.user, complete, "", nil, 0) {
			t.Fatalf("%s: not kept", c.name)
		}
	}
	entries := table.sorted()
	for _, c := range samples {
		i := slices.IndexFunc(entries, func(e *stackEntry) bool {
			return e.generation == c.of && slices.Equal(e.kernel, c.s.kernel) && slices.Equal(e.user, c.s.user)
		})
		if i < 0 || entries[i].total.count != c.count {
			t.Errorf("%s: entry %d of %d, want a count of %d", c.name, i, len(entries), c.count)
		}
	}
	if want := len(samples) - 1; len(entries) != want {
		t.Errorf("%d distinct stacks, want %d", len(entries), want)
	}
}

// A target that makes ever new stacks does not make us use ever more memory, and nothing of it is
// lost without being counted.
func TestStackTableIsBounded(t *testing.T) {
	table, g := newStackTable(), &generation{id: 1}
	const samples = 10_000
	kept := uint64(0)
	for i := range samples {
		user := make([]uint64, 1024)
		user[0] = uint64(i)
		if addOne(table, g, nil, user, complete, "", nil, 0) {
			kept++
		}
	}
	if kept == 0 || kept == samples || kept+table.dropped != samples {
		t.Errorf("%d of %d stacks were kept and %d dropped", kept, samples, table.dropped)
	}
	if table.bytes > maxStackBytes {
		t.Errorf("%d bytes are used, the limit is %d", table.bytes, maxStackBytes)
	}
	if !addOne(table, g, nil, make([]uint64, 1024), complete, "", nil, 0) {
		t.Error("a stack that is known was refused when the table was full")
	}
}

// The conventions that symbolizer and renderers rely on: leaf first, the kernel's frames before the
// program's, callers by the address of their call.
func TestProfileOfStacks(t *testing.T) {
	g := &generation{id: 1, process: &proc.Process{PID: 70, NSPID: 7, Name: "web"}, mappings: []mapping{
		{Mapping: proc.Mapping{Start: 0x1000, End: 0x2000, Offset: 0x200, Path: "/web"}},
		{Mapping: proc.Mapping{Start: 0x8000, End: 0x9000}},
	}}
	gone := &generation{id: 2, process: &proc.Process{PID: 71, NSPID: 71, Name: "sh"}}
	const kernel = 0xffffffff81000000
	type frame struct {
		file    string // of the mapping, or the function's name where there is none
		address uint64
	}
	cases := []struct {
		name  string
		entry stackEntry
		want  []frame
	}{
		{"user", stackEntry{generation: g, user: []uint64{0x1010, 0x1020}}, []frame{{"/web", 0x1010}, {"/web", 0x1020}}},
		{"in a system call", stackEntry{generation: g, kernel: []uint64{kernel}, user: []uint64{0x1010}},
			[]frame{{KernelMapping, kernel}, {"/web", 0x1010}}},
		{"anonymous code", stackEntry{generation: g, user: []uint64{0x8000}}, []frame{{AnonymousMapping, 0x8000}}},
		{"broken", stackEntry{generation: g, user: []uint64{0x1010}, end: broken}, []frame{{"/web", 0x1010}, {BrokenStack, 0}}},
		{"no mapping", stackEntry{generation: g, user: []uint64{0x3000}}, []frame{{"[unmapped]", 0x3000}}},
		{"truncated", stackEntry{generation: g, user: []uint64{0x1010}, end: truncated}, []frame{{"/web", 0x1010}, {Truncated, 0}}},
		{"ended before it was read", stackEntry{generation: gone, user: []uint64{0x1010}}, []frame{{ProcessExited, 0}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := newProfileBuilder(time.Unix(1_700_000_000, 0), time.Second, cpuKind(100))
			b.add(&c.entry, amount{3, 3 * b.profile.Period}, nil, 0)
			if err := b.profile.CheckValid(); err != nil {
				t.Fatal(err)
			}
			s := b.profile.Sample[0]
			if got := s.Location; !slices.EqualFunc(got, c.want, func(l *profile.Location, f frame) bool {
				return l.Address == f.address && nameOf(l) == f.file
			}) {
				for _, l := range got {
					t.Logf("%s %#x", nameOf(l), l.Address)
				}
				t.Errorf("want %v", c.want)
			}
			if !slices.Equal(s.Value, []int64{3, 30_000_000}) {
				t.Errorf("values %v, want 3 samples of 10 ms each", s.Value)
			}
			p := c.entry.generation.process
			if s.Label["process"][0] != p.Name || s.NumLabel["pid"][0] != int64(p.NSPID) {
				t.Errorf("labels %v %v, want those of %+v", s.Label, s.NumLabel, p)
			}
		})
	}
}

func nameOf(l *profile.Location) string {
	if l.Mapping != nil {
		return l.Mapping.File
	}
	return l.Line[0].Function.Name
}

// rawSample writes struct sample of bpf/cpu.bpf.c as the ring buffer has it.
func rawSample(kernel, user []uint64, end bpf.CPUWalkEnd) []byte {
	var s bpf.CPUSample
	raw := make([]byte, sampleHeader)
	order := binary.NativeEndian
	order.PutUint32(raw[unsafe.Offsetof(s.Program)+unsafe.Offsetof(s.Program.Tgid):], 70)
	order.PutUint32(raw[unsafe.Offsetof(s.Tid):], 71)
	order.PutUint32(raw[unsafe.Offsetof(s.Pid):], 7)
	order.PutUint16(raw[unsafe.Offsetof(s.KernelFrames):], uint16(len(kernel)))
	order.PutUint16(raw[unsafe.Offsetof(s.UserFrames):], uint16(len(user)))
	order.PutUint16(raw[unsafe.Offsetof(s.End):], uint16(end))
	copy(raw[unsafe.Offsetof(s.Comm):], "web\x00old")
	for _, a := range append(slices.Clone(kernel), user...) {
		raw = order.AppendUint64(raw, a)
	}
	return raw
}

// BenchmarkAggregate is what user space does with one sample, by the depth of its stack: read it
// from the ring buffer's bytes and count it.
func BenchmarkAggregate(b *testing.B) {
	for _, depth := range []int{20, 200, 1024} {
		b.Run(fmt.Sprintf("frames=%d", depth), func(b *testing.B) {
			const distinct = 100
			raws := make([][]byte, distinct)
			for i := range raws {
				user := make([]uint64, depth)
				user[0] = uint64(i)
				raws[i] = rawSample(nil, user, 0)
			}
			table, g := newStackTable(), &generation{id: 1}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				s, err := parseSample(raws[i%distinct])
				if err != nil {
					b.Fatal(err)
				}
				if !addOne(table, g, s.kernel, s.user, complete, "", nil, 0) {
					b.Fatal("the table is full")
				}
			}
			if len(table.entries) > distinct {
				b.Fatalf("%d stacks, there are %d", len(table.entries), distinct)
			}
		})
	}
}

// addOne adds a sample; it gives false if the table is full.
func addOne(t *stackTable, g *generation, kernel, user []uint64, end stackEnd, group string, labels []label, at uint64) bool {
	e := t.find(g, kernel, user, end, group, labels)
	if e != nil {
		t.add(e, amount{1, 1}, at)
	}
	return e != nil
}
