package session

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

func TestSlicesMakeAPartialProfile(t *testing.T) {
	var b sliceBuffer
	if p := b.merge("the pod was deleted", time.Minute); p != nil {
		t.Errorf("a profile of nothing: %v", p)
	}
	const many = 3*maxSlices + 1
	for i := range many {
		f := &profile.Function{ID: 1, Name: []string{"main.even", "main.odd"}[i%2]}
		l := &profile.Location{ID: 1, Line: []profile.Line{{Function: f}}}
		b.add(&profile.Profile{
			PeriodType:    &profile.ValueType{Type: "cpu", Unit: "nanoseconds"},
			SampleType:    []*profile.ValueType{{Type: "samples", Unit: "count"}},
			Sample:        []*profile.Sample{{Location: []*profile.Location{l}, Value: []int64{2}}},
			Location:      []*profile.Location{l},
			Function:      []*profile.Function{f},
			TimeNanos:     int64(time.Duration(i+1) * time.Second),
			DurationNanos: int64(time.Second),
			Comments:      []string{fmt.Sprintf("samples: %d", 2*(i+1))},
		})
		if len(b.all) > maxSlices {
			t.Fatalf("%d slices are kept", len(b.all))
		}
	}
	p := b.merge("the pod was deleted", 2*time.Minute)
	want := []string{fmt.Sprintf("samples: %d", 2*many), "partial: the pod was deleted, after 1m31s of 2m0s"}
	if len(p.Sample) != 2 || p.Sample[0].Value[0]+p.Sample[1].Value[0] != 2*many || p.TimeNanos != int64(time.Second) || !slices.Equal(p.Comments, want) {
		t.Errorf("got %v", p)
	}
}
