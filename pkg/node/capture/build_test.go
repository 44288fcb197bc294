//go:build linux

package capture

import (
	"slices"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

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
			b := newProfileBuilder(time.Unix(1_700_000_000, 0), time.Second, kind{
				types:  []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
				period: 10_000_000, each: 10_000_000,
			})
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
