package api

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTiming(t *testing.T) {
	steps := []Step{{"load", 120500 * time.Microsecond}, {"sampling", 5 * time.Second}}
	const header = "load;dur=120.5, sampling;dur=5000.0"
	if got := FormatTiming(steps); got != header {
		t.Errorf("got %q, want %q", got, header)
	}
	cases := map[string][]Step{
		header:                                 steps,
		"":                                     nil,
		strings.Repeat("x;dur=1,", 2*maxSteps): slices.Repeat([]Step{{"x", time.Millisecond}}, maxSteps),
		"cache, load;dur=1, x;dur=, y;dur=NaN, z;dur=-1, \x00": {{"load", time.Millisecond}},
	}
	for header, want := range cases {
		if diff := cmp.Diff(want, ParseTiming(header)); diff != "" {
			t.Errorf("%q: (-want +got)\n%s", header, diff)
		}
	}
}

func TestSteps(t *testing.T) {
	var none *Steps
	none.Begin("load")
	if got := none.End(); got != nil {
		t.Errorf("a nil pointer measured %v", got)
	}
	var s Steps
	s.Begin("load")
	s.Begin("sampling")
	got := s.End()
	if len(got) != 2 || got[0].Name != "load" || got[1].Name != "sampling" || len(s.End()) != 2 {
		t.Errorf("got %v", got)
	}
}
