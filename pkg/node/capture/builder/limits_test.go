//go:build linux

package builder

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/bounded"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// newBuilder returns a builder, and a generation whose code is at 0x1000 to 0x20000000.
func newBuilder() (*Builder, *process.Generation) {
	g := &process.Generation{ID: 1, Process: &proc.Process{PID: 70, NSPID: 7, Name: "web"}, Mappings: []process.Mapping{
		{Mapping: proc.Mapping{Start: 0x1000, End: 0x20000000, Path: "/web"}},
	}}
	count := &profile.ValueType{Type: "samples", Unit: "count"}
	return New(time.Unix(1_700_000_000, 0), time.Second, Kind{Types: []*profile.ValueType{count, count}}), g
}

// A target makes as many distinct stacks as the table of stacks can hold. The profile is valid, its
// values add up, and it takes a bounded amount of memory.
func TestManyStacks(t *testing.T) {
	const stacks = 220_000
	b, g := newBuilder()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range uint64(stacks) {
		b.addStack(&stack.Entry{Generation: g, User: []uint64{0x1000 + 8*i, 0x1004 + 8*i}}, stack.Amount{Count: 3, Value: 1}, nil, 0)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	r, err := b.Result()
	if err != nil {
		t.Fatal(err)
	}
	if used := int64(after.HeapAlloc) - int64(before.HeapAlloc); used > 80<<20 {
		t.Errorf("the profile takes %d MiB", used>>20)
	}
	total := int64(0)
	for _, s := range r.Profile.Sample {
		total += s.Value[0]
	}
	last := r.Profile.Sample[len(r.Profile.Sample)-1]
	if total != 3*stacks || nameOf(last.Location[0]) != bounded.TooManyStacks {
		t.Errorf("the samples add up to %d, want %d; the last one is %s", total, 3*stacks, nameOf(last.Location[0]))
	}
	if got := strings.Join(meta.LeftOut.All(r.Profile), "; "); !strings.Contains(got, "stacks") || !strings.Contains(got, "addresses") {
		t.Errorf("left out: %q", got)
	}
}

// The comments and the sample for what was left out belong to one slice.
func TestSlicesStartEmpty(t *testing.T) {
	var s Slicer
	b := s.Next(time.Now(), Kind{Types: []*profile.ValueType{{Type: "samples", Unit: "count"}}})
	for range 1 << 18 {
		b.Append(&profile.Sample{Location: []*profile.Location{b.out.Placeholder(Truncated)}}, stack.Amount{Count: 1})
	}
	b = s.Next(time.Now(), Kind{})
	b.Append(&profile.Sample{Location: []*profile.Location{b.out.Placeholder(Truncated)}}, stack.Amount{Count: 1})
	if len(b.Profile.Sample) != 1 || b.Profile.Sample[0].Value[0] != 1 || nameOf(b.Profile.Sample[0].Location[0]) != Truncated {
		t.Errorf("%d samples in the second slice", len(b.Profile.Sample))
	}
}

// Names, paths and labels of the target are cut and have no control characters.
func TestTextsOfTheTarget(t *testing.T) {
	b, g := newBuilder()
	long := "\x1b[2J" + strings.Repeat("x", 100_000)
	g.Process.Name, g.Mappings[0].Path = long, long
	b.addStack(&stack.Entry{Generation: g, User: []uint64{0x1010}, Labels: []record.Label{{Key: long, Value: long}, {Key: "k" + long, Number: 1}}},
		stack.Amount{Count: 1}, nil, 0)
	s := b.Profile.Sample[0]
	texts := []string{s.Location[0].Mapping.File}
	for key, values := range s.Label {
		texts = append(append(texts, key), values...)
	}
	for key := range s.NumLabel {
		texts = append(texts, key)
	}
	for _, text := range texts {
		if len(text) > 5000 || strings.Contains(text, "\x1b") {
			t.Errorf("%d bytes: %.20q", len(text), text)
		}
	}
	if len(texts) != 7 {
		t.Errorf("%d texts", len(texts))
	}
}

// Samples with equal labels share them. Their number is limited like everything else.
func TestLabelsAreShared(t *testing.T) {
	b, g := newBuilder()
	sample := func(value string) *profile.Sample {
		return b.NewSample(&stack.Entry{Generation: g, User: []uint64{0x1010}, Labels: []record.Label{{Key: "request", Value: value}}})
	}
	one, same, other := sample("a"), sample("a"), sample("b")
	if reflect.ValueOf(one.Label).Pointer() != reflect.ValueOf(same.Label).Pointer() || other.Label["request"][0] != "b" {
		t.Errorf("labels %v, %v and %v", one.Label, same.Label, other.Label)
	}
	for i := range 2 * maxLabelSets {
		sample(fmt.Sprint(i))
	}
	if len(b.labelSets) > maxLabelSets {
		t.Errorf("%d sets of labels are kept", len(b.labelSets))
	}
}
