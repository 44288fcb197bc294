package meta_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

func TestCommentsRoundTrip(t *testing.T) {
	p := &profile.Profile{Comments: []string{"written by another program", "samples of tea: 3"}}
	since := time.Date(2026, 11, 28, 2, 0, 0, 5000, time.UTC)
	meta.Pod.Add(p, "prod/shop: 1")
	meta.Frequency.Add(p, 99)
	meta.Samples.Add(p, 1234)
	meta.LostWaits.Add(p, meta.Waits{Count: 3, Time: 1500 * time.Millisecond})
	meta.TimeStep.Add(p, 20*time.Millisecond)
	meta.AllocationsSince.Add(p, since)
	meta.SampleQuanta.Add(p, meta.Quanta{Before: 1e7, After: 0.5})
	want := []string{
		"written by another program", "samples of tea: 3", "pod: prod/shop: 1", "frequency: 99 Hz", "samples: 1234", "lost waits: 3, of 1.5s",
		"times: in steps of 20ms", "allocations since: 2026-11-28T02:00:00.000005Z", "one sample stands for: before 1e+07, after 0.5",
	}
	if diff := cmp.Diff(want, p.Comments); diff != "" {
		t.Fatalf("comments (-want +got):\n%s", diff)
	}
	got := []any{
		meta.Pod.Get(p), meta.Frequency.Get(p), meta.Samples.Get(p), meta.LostWaits.Get(p), meta.TimeStep.Get(p),
		meta.AllocationsSince.Get(p), meta.SampleQuanta.Get(p), meta.Node.Get(p), meta.LostSamples.Get(p),
	}
	values := []any{
		"prod/shop: 1", int64(99), int64(1234), meta.Waits{Count: 3, Time: 1500 * time.Millisecond}, 20 * time.Millisecond,
		since, meta.Quanta{Before: 1e7, After: 0.5}, "", int64(0),
	}
	if diff := cmp.Diff(values, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func TestMalformedValues(t *testing.T) {
	p := &profile.Profile{Comments: []string{"samples: many", "samples: 3", "frequency: 99", "lost waits: 3", "kernel: 6.1\x1b"}}
	if n, ok := meta.Samples.Lookup(p); ok || meta.Samples.Get(p) != 0 || meta.Samples.Text(p) != "many" {
		t.Errorf("samples: %d, %v", n, ok)
	}
	if got := meta.Samples.All(p); len(got) != 1 || got[0] != 3 {
		t.Errorf("all: %d", got)
	}
	if meta.Frequency.Get(p) != 0 || meta.LostWaits.Get(p) != (meta.Waits{}) || !meta.Kernel.Has(p) {
		t.Error("a malformed value was parsed")
	}
}

func TestUpdateAndRemove(t *testing.T) {
	shared := []string{"partial: a", "type: cpu", "partial: b", "samples: many"}
	p := &profile.Profile{Comments: shared}
	meta.Partial.Update(p, func(reason string) string { return reason + "!" })
	meta.Samples.Update(p, func(int64) int64 { return 1 })
	if diff := cmp.Diff([]string{"partial: a!", "type: cpu", "partial: b!", "samples: many"}, p.Comments); diff != "" {
		t.Error(diff)
	}
	meta.Partial.Remove(p)
	if diff := cmp.Diff([]string{"type: cpu", "samples: many"}, p.Comments); diff != "" {
		t.Error(diff)
	}
	if shared[0] != "partial: a" || shared[2] != "partial: b" {
		t.Error("the comments of another profile changed")
	}
}

func TestJoin(t *testing.T) {
	got := meta.Join(
		[]string{"type: cpu", "lost waits", "samples: 3", "node: 7", "lost waits: 1, of 1s", "times: in steps of 20ms", "note", "allocations since: 2026-11-28T02:00:00Z", "advice: a"},
		[]string{"type: cpu", "samples: 4", "node: 8", "lost waits: 2, of 500ms", "times: in steps of 40ms", "note", "allocations since: 2026-11-28T01:00:00Z", "advice: b", "broken stacks: 1"},
		[]string{"samples", "samples: x", "foreign: 1", "broken stacks: 2"}, []string{"foreign: 2", "samples: 1", "samples: x"},
	)
	want := []string{
		"type: cpu", "lost waits", "samples: 8", "node: 7", "lost waits: 3, of 1.5s", "times: in steps of 40ms", "note", "allocations since: 2026-11-28T01:00:00Z", "advice: a",
		"node: 8", "advice: b", "broken stacks: 3", "samples", "samples: x", "foreign: 1", "foreign: 2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("joined (-want +got):\n%s", diff)
	}
}

func TestLabels(t *testing.T) {
	units := meta.WaitLabel.Units()
	s := &profile.Sample{NumUnit: units}
	meta.ProcessLabel.Set(s, "web")
	meta.PIDLabel.Set(s, 7)
	meta.TimeLabel.Set(s, 1200)
	want := &profile.Sample{
		Label:    map[string][]string{"process": {"web"}},
		NumLabel: map[string][]int64{"pid": {7}, "time": {1200}},
		NumUnit:  map[string][]string{"wait": {"seconds"}, "time": {"milliseconds"}},
	}
	if diff := cmp.Diff(want.Label, s.Label) + cmp.Diff(want.NumLabel, s.NumLabel) + cmp.Diff(want.NumUnit, s.NumUnit); diff != "" {
		t.Error(diff)
	}
	if len(units) != 1 {
		t.Error("units that samples share changed")
	}
	if _, ok := meta.ThreadLabel.Lookup(s); ok || meta.ProcessLabel.Get(s) != "web" || meta.PIDLabel.Get(s) != 7 {
		t.Error("wrong values")
	}
}

func TestStoppedEarly(t *testing.T) {
	reason := meta.StoppedEarly(1500*time.Millisecond, 30*time.Second)
	if reason != "stopped after 1.5s of 30s" || !meta.IsStoppedEarly(reason) {
		t.Errorf("got %q", reason)
	}
	for _, other := range []string{"", "the pod was deleted: " + reason, "stoppedness"} {
		if meta.IsStoppedEarly(other) {
			t.Errorf("%q was taken for a stop", other)
		}
	}
}
