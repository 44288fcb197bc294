package merge_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/merge"
)

// sampled returns a profile in which each named function was sampled as often as given, with 10 ns each.
func sampled(counts map[string]int64) *profile.Profile {
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		PeriodType: &profile.ValueType{Type: "cpu", Unit: "nanoseconds"}, Period: 10,
	}
	for name, n := range counts {
		id := uint64(len(p.Function) + 1)
		f := &profile.Function{ID: id, Name: name}
		l := &profile.Location{ID: id, Line: []profile.Line{{Function: f}}}
		p.Function, p.Location = append(p.Function, f), append(p.Location, l)
		p.Sample = append(p.Sample, &profile.Sample{Location: []*profile.Location{l}, Value: []int64{n, 10 * n}})
	}
	return p
}

// values returns the values of each function's samples.
func values(p *profile.Profile) map[string][]int64 {
	all := map[string][]int64{}
	for _, s := range p.Sample {
		all[s.Location[0].Line[0].Function.Name] = s.Value
	}
	return all
}

func TestProfiles(t *testing.T) {
	a, b := sampled(map[string]int64{"f": 1, "g": 2}), sampled(map[string]int64{"g": 3})
	a.Comments, b.Comments = []string{"samples: 3", "type: cpu"}, []string{"type: cpu", "samples: 3", "restart: it crashed"}
	a.TimeNanos, a.DurationNanos, b.TimeNanos, b.DurationNanos = 100, 10, 200, 20
	p, err := merge.Profiles(a, b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]int64{"f": {1, 10}, "g": {5, 50}}, values(p)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"samples: 6", "type: cpu", "restart: it crashed"}, p.Comments); diff != "" {
		t.Error(diff)
	}
	if p.TimeNanos != 100 || p.DurationNanos != 30 {
		t.Errorf("time %d, duration %d", p.TimeNanos, p.DurationNanos)
	}
	b.PeriodType.Type = "wall"
	if _, err := merge.Profiles(a, b); err == nil {
		t.Error("profiles of different types were merged")
	}
	if _, err := merge.Profiles(); err == nil {
		t.Error("nothing was merged")
	}
}

func TestSubtract(t *testing.T) {
	before, after := sampled(map[string]int64{"f": 1, "g": 2}), sampled(map[string]int64{"f": 4, "g": 2})
	before.TimeNanos, after.TimeNanos, after.Comments = 100, 500, []string{"type: allocs"}
	p, err := merge.Subtract(after, before)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]int64{"f": {3, 30}}, values(p)); diff != "" {
		t.Error(diff)
	}
	if p.TimeNanos != 500 || p.DurationNanos != 400 || !cmp.Equal(p.Comments, after.Comments) {
		t.Errorf("time %d, duration %d, %q", p.TimeNanos, p.DurationNanos, p.Comments)
	}
}

func TestSideBySide(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after map[string]int64
		want          map[string][]int64
	}{
		{"both", map[string]int64{"f": 1, "g": 2}, map[string]int64{"g": 3}, map[string][]int64{"f": {10, 0}, "g": {20, 30}}},
		{"none before", nil, map[string]int64{"g": 3}, map[string][]int64{"g": {0, 30}}},
		{"none after", map[string]int64{"g": 3, "h": 0}, nil, map[string][]int64{"g": {30, 0}}},
		{"none", nil, nil, map[string][]int64{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := merge.SideBySide(merge.Side{Name: "before", Profile: sampled(c.before), Index: 1}, merge.Side{Name: "after", Profile: sampled(c.after), Index: 1})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, values(p)); diff != "" {
				t.Error(diff)
			}
			if len(p.SampleType) != 2 || p.SampleType[0].Type != "before" || p.SampleType[1].Unit != "nanoseconds" {
				t.Errorf("types %v", p.SampleType)
			}
		})
	}
}
