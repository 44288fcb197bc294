//go:build linux

package builder

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes"
)

// interpreter names frames whose first payload word is 1.
type interpreter struct{ runtimes.Runtime }

func (interpreter) NameFrame(_ *proc.Process, payload [2]uint64) []runtimes.Frame {
	if payload[0] != 1 {
		return nil
	}
	return []runtimes.Frame{{Name: "inlined", File: "a.py", Line: int64(payload[1])}, {Name: "outer", File: "a.py", Line: 7}}
}

// A runtime names its frames including inlined functions. Frames that no runtime can name get a
// placeholder.
func TestRuntimeFrames(t *testing.T) {
	g := &process.Generation{ID: 1, Process: &proc.Process{PID: 70, NSPID: 7, Name: "web"}, Mappings: []process.Mapping{
		{Mapping: proc.Mapping{Start: 0x1000, End: 0x2000, Path: "/web"}},
	}}
	count := &profile.ValueType{Type: "samples", Unit: "count"}
	b := New(time.Unix(1_700_000_000, 0), time.Second, Kind{
		Types: []*profile.ValueType{count, {Type: "cpu", Unit: "nanoseconds"}}, PeriodType: count, Runtimes: runtimes.Set{interpreter{}},
	})
	s := record.Stack{0x1010}.Append(record.RuntimeFrame, 0x1020, [2]uint64{1, 42}).
		Append(record.RuntimeFrame, 0x1020, [2]uint64{1, 43}).Append(record.RuntimeFrame, 0x1020, [2]uint64{2, 42}).
		Append(record.NativeFrame, 0x1030, [2]uint64{})
	sample := b.NewSample(&stack.Entry{Generation: g, User: s})
	sample.Value = []int64{1, 1}
	b.Profile.Sample = append(b.Profile.Sample, sample)
	if err := b.Profile.CheckValid(); err != nil {
		t.Fatal(err)
	}
	type line struct {
		Name string
		Line int64
	}
	var got [][]line
	for _, l := range sample.Location {
		var lines []line
		for _, one := range l.Line {
			lines = append(lines, line{one.Function.Name, one.Line})
		}
		got = append(got, lines)
	}
	want := [][]line{nil, {{"inlined", 42}, {"outer", 7}}, {{"inlined", 43}, {"outer", 7}}, {{UnknownRuntimeFrame, 0}}, nil}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines of the locations (-want +got):\n%s", diff)
	}
	if n := len(b.Profile.Function); n != 3 {
		t.Errorf("%d functions, want 3", n)
	}
}
