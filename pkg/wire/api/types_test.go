package api

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseTypes(t *testing.T) {
	cases := map[string]struct {
		names []string
		want  []ProfileType
		err   string
	}{
		"one":       {[]string{"cpu"}, []ProfileType{CPU}, ""},
		"in order":  {[]string{"wall", "cpu"}, []ProfileType{Wall, CPU}, ""},
		"twice":     {[]string{"heap", "cpu", "heap"}, []ProfileType{Heap, CPU}, ""},
		"an alias":  {[]string{"memory", "heap"}, []ProfileType{Heap}, ""},
		"unknown":   {[]string{"cpu", "heat"}, nil, `unknown profile type "heat"; choose one of: cpu, offcpu`},
		"no type":   {nil, nil, "type: name at least one profile type"},
		"no name":   {[]string{""}, nil, `unknown profile type ""`},
		"all types": {TypeNames(), ProfileTypes(), ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := ParseTypes(c.names)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("types (-want +got):\n%s", diff)
			}
			if (err != nil) != (c.err != "") || err != nil && !strings.HasPrefix(err.Error(), c.err) {
				t.Errorf("got error %v, want %q", err, c.err)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	cases := map[string]struct {
		change func(*Request)
		want   string
	}{
		"valid":                      {func(*Request) {}, ""},
		"no duration":                {func(r *Request) { r.Duration = 0 }, "duration 0s: must be above 0 and at most 1h0m0s"},
		"too long":                   {func(r *Request) { r.Duration = 2 * time.Hour }, "duration 2h0m0s: must be"},
		"too often":                  {func(r *Request) { r.Frequency = 1001 }, "frequency 1001: must be from 1 to 1000"},
		"a PID of 0":                 {func(r *Request) { r.PIDs = []int{7, 0} }, "pid 0: must be above 0"},
		"too many PIDs":              {func(r *Request) { r.PIDs = slicesOfOnes(MaxPIDs + 1) }, "pid: 1025 process IDs, of at most 1024"},
		"an unknown level":           {func(r *Request) { r.By = "color" }, "by color: must be thread or goroutine"},
		"a level of another type":    {func(r *Request) { r.By = ByGoroutine }, "by goroutine: only for type goroutine"},
		"a memory profile":           {func(r *Request) { r.EnableMemProfile, r.MemProfileRate = true, 1 }, "memory profile: only for type heap or allocs"},
		"a memory profile of rate 0": {func(r *Request) { r.EnableMemProfile = true }, "memory profile rate 0: must be from 1"},
		"freeze":                     {func(r *Request) { r.Freeze = true }, "freeze: only for type goroutine"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := Request{Duration: time.Second, Frequency: 99}
			c.change(&r)
			err := r.Validate([]ProfileType{CPU})
			if (err != nil) != (c.want != "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func slicesOfOnes(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = 1
	}
	return s
}
