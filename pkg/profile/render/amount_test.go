package render

import "testing"

func TestAmount(t *testing.T) {
	for want, s := range map[string]Summary{
		"12 goroutines": {Total: 12, Type: "goroutine", Unit: "count"},
		"3 samples":     {Total: 3, Type: "samples", Unit: "count"},
		"39 after":      {Total: 39, Type: "after", Unit: "count"},
		"35 before":     {Total: 35, Type: "before", Unit: "count"},
		"1.50s of cpu":  {Total: 1_500_000_000, Type: "cpu", Unit: "nanoseconds"},
	} {
		if got := Amount(s); got != want {
			t.Errorf("%+v: %q, want %q", s, got, want)
		}
	}
}
