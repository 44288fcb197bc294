package session

import (
	"errors"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// A target that was left changed is reported even if other profiles succeeded.
func TestLeftChanged(t *testing.T) {
	heap := &profile.Profile{Comments: []string{"go program: process 1 (web), go1.26.8", "left changed: the memory profile of process 1 (web) stays on"}}
	results := []*Result{{Err: errors.New("none")}, {Profile: &profile.Profile{}}, {Profile: heap}}
	if got := (&Outcome{Results: results}).LeftChanged(); got != "the memory profile of process 1 (web) stays on" {
		t.Errorf("%q", got)
	}
	if got := (&Outcome{Results: results[:2]}).LeftChanged(); got != "" {
		t.Errorf("%q of an unchanged target", got)
	}
}

// The error lists missing profiles by type. It wraps ErrMissing only if other profiles were taken.
func TestMissing(t *testing.T) {
	off := &api.Error{Message: "the program does not collect it"}
	of := func(name string, err error) *Result {
		p := &Result{Request: api.Request{Type: api.ProfileType{Name: name}}, Err: err}
		if err == nil {
			p.Profile = cpuProfile()
		}
		return p
	}
	for name, c := range map[string]struct {
		results    []*Result
		want       string
		some       bool // have been taken
		everything bool // is missing
	}{
		"nothing":      {[]*Result{of("cpu", nil), of("heap", nil)}, "", false, false},
		"one of two":   {[]*Result{of("cpu", nil), of("mutex", off)}, "not all of the profiles were taken:\n  mutex: the program does not collect it", true, false},
		"both":         {[]*Result{of("block", off), of("mutex", off)}, "no profile was taken:\n  block: the program does not collect it\n  mutex: the program does not collect it", false, true},
		"the only one": {[]*Result{of("mutex", off)}, "the program does not collect it", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			o := &Outcome{Results: c.results}
			err := o.Missing()
			if text := errorText(err); text != c.want || errors.Is(err, ErrMissing) != c.some {
				t.Errorf("got %q, ErrMissing %v", text, errors.Is(err, ErrMissing))
			}
			if (o.failure() != nil) != c.everything {
				t.Errorf("failure: %v", o.failure())
			}
		})
	}
}

func TestPartial(t *testing.T) {
	whole, cut := cpuProfile(), cpuProfile()
	cut.Comments = []string{"type: cpu", "partial: the target ended"}
	for name, c := range map[string]struct {
		results []*Result
		want    string
	}{
		"a whole profile": {[]*Result{{Profile: whole}}, ""},
		"a partial one":   {[]*Result{{Profile: cut}}, "the target ended"},
		"one of several":  {[]*Result{{Err: errors.New("none")}, {Request: api.Request{Type: api.CPU}, Profile: cut}}, "cpu: the target ended"},
	} {
		if got := (&Outcome{Results: c.results}).Partial(); got != c.want {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
