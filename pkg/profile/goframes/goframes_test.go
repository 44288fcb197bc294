package goframes

import (
	"slices"
	"testing"

	"github.com/google/pprof/profile"
)

func TestHide(t *testing.T) {
	tests := []struct {
		name     string
		stack    []string // leaf first; wrappers begin with "wrapper"
		expected []string
	}{
		{"nothing to hide", []string{"main.f", "main.main"}, []string{"main.f", "main.main"}},
		{"goexit at the root", []string{"main.f", "runtime.goexit"}, []string{"main.f"}},
		{"goexit alone", []string{"runtime.goexit"}, []string{"runtime.goexit"}},
		{"goexit of two stacks", []string{"main.f", "runtime.goexit", "runtime.goexit"}, []string{"main.f"}},
		{"wrapper between", []string{"main.f", "wrapper", "main.main"}, []string{"main.f", "main.main"}},
		{"wrapper at the leaf", []string{"wrapper", "main.main"}, []string{"main.main"}},
		{"wrapper under goexit", []string{"main.f", "wrapper", "runtime.goexit"}, []string{"main.f"}},
		{"nothing but a wrapper", []string{"wrapper"}, []string{"wrapper"}},
		{"wrapper that panics", []string{"runtime.gopanic", "wrapper", "main.main"}, []string{"runtime.gopanic", "wrapper", "main.main"}},
		{"wrapper whose receiver is nil", []string{"runtime.panicwrap", "wrapper", "main.main"}, []string{"runtime.panicwrap", "wrapper", "main.main"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, wrappers := &profile.Sample{}, map[*profile.Location]bool{}
			for _, name := range test.stack {
				f := &profile.Function{Name: name, SystemName: name}
				l := &profile.Location{Line: []profile.Line{{Function: f}}}
				s.Location = append(s.Location, l)
				wrappers[l] = name == "wrapper"
			}
			Hide(&profile.Profile{Sample: []*profile.Sample{s}}, wrappers)
			var got []string
			for _, l := range s.Location {
				got = append(got, outermostFunction(l))
			}
			if !slices.Equal(got, test.expected) {
				t.Errorf("got %v, want %v", got, test.expected)
			}
		})
	}
}
