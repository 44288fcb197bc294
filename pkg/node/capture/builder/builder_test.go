//go:build linux

package builder

import (
	"slices"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// The symbolizer and the renderers rely on these conventions: the leaf comes first, kernel frames
// precede user frames, and a caller's address lies within its call instruction.
func TestProfileOfStacks(t *testing.T) {
	g := &process.Generation{ID: 1, Process: &proc.Process{PID: 70, NSPID: 7, Name: "web"}, Mappings: []process.Mapping{
		{Mapping: proc.Mapping{Start: 0x1000, End: 0x2000, Offset: 0x200, Path: "/web"}},
		{Mapping: proc.Mapping{Start: 0x8000, End: 0x9000}},
	}}
	gone := &process.Generation{ID: 2, Process: &proc.Process{PID: 71, NSPID: 71, Name: "sh"}}
	const kernel = 0xffffffff81000000
	type frame struct {
		file    string // path of the mapping, or the function's name if there is no mapping
		address uint64
	}
	cases := []struct {
		name  string
		entry stack.Entry
		want  []frame
	}{
		{"user", stack.Entry{Generation: g, User: []uint64{0x1010, 0x1020}}, []frame{{"/web", 0x1010}, {"/web", 0x1020}}},
		{"in a system call", stack.Entry{Generation: g, Kernel: []uint64{kernel}, User: []uint64{0x1010}},
			[]frame{{process.KernelMapping, kernel}, {"/web", 0x1010}}},
		{"anonymous code", stack.Entry{Generation: g, User: []uint64{0x8000}}, []frame{{process.AnonymousMapping, 0x8000}}},
		{"broken", stack.Entry{Generation: g, User: []uint64{0x1010}, End: stack.Broken}, []frame{{"/web", 0x1010}, {BrokenStack, 0}}},
		{"no mapping", stack.Entry{Generation: g, User: []uint64{0x3000}}, []frame{{"[unmapped]", 0x3000}}},
		{"truncated", stack.Entry{Generation: g, User: []uint64{0x1010}, End: stack.Truncated}, []frame{{"/web", 0x1010}, {Truncated, 0}}},
		{"exited before it was read", stack.Entry{Generation: gone, User: []uint64{0x1010}}, []frame{{ProcessExited, 0}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := New(time.Unix(1_700_000_000, 0), time.Second, Kind{
				Types:  []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
				Period: 10_000_000, ValuePerCount: 10_000_000,
			})
			b.addStack(&c.entry, stack.Amount{Count: 3, Value: 3 * b.Profile.Period}, nil, 0)
			if err := b.Profile.CheckValid(); err != nil {
				t.Fatal(err)
			}
			s := b.Profile.Sample[0]
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
			p := c.entry.Generation.Process
			if s.Label["process"][0] != p.Name || s.NumLabel["pid"][0] != int64(p.NSPID) {
				t.Errorf("labels %v %v, want those of %+v", s.Label, s.NumLabel, p)
			}
		})
	}
}

// A program that is replaced by another and executes it may have the same addresses and the same path. Each address
// is then named from the file it was sampled in.
func TestFileReplacedAtTheSameAddresses(t *testing.T) {
	b := New(time.Unix(1_700_000_000, 0), time.Second, Kind{Types: []*profile.ValueType{{Type: "samples", Unit: "count"}}, ValuePerCount: 1})
	files := []*proc.File{{}, {}}
	for i, f := range files {
		g := &process.Generation{ID: i, Process: &proc.Process{PID: 70, NSPID: 7, Name: "web"}, Mappings: []process.Mapping{
			{Mapping: proc.Mapping{Start: 0x1000, End: 0x2000, Path: "/web"}, File: f},
		}}
		b.addStack(&stack.Entry{Generation: g, User: []uint64{0x1010}}, stack.Amount{Count: 1, Value: 1}, nil, 0)
	}
	if len(b.Profile.Sample) != 2 {
		t.Fatalf("%d stacks, want 2", len(b.Profile.Sample))
	}
	for i, s := range b.Profile.Sample {
		if got := b.files[s.Location[0].Mapping]; got != files[i] {
			t.Errorf("stack %d has another file", i)
		}
	}
}

func nameOf(l *profile.Location) string {
	if l.Mapping != nil {
		return l.Mapping.File
	}
	return l.Line[0].Function.Name
}
