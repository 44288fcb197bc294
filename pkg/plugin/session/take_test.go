package session

import (
	"errors"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/launch"
)

func TestKeeps(t *testing.T) {
	failed := errors.New("failed")
	for name, c := range map[string]struct {
		keep      time.Duration
		endReused bool
		reused    bool
		err       error
		want      bool
	}{
		"a new one":                     {0, false, false, nil, false},
		"a new one with a time":         {5 * time.Minute, false, false, nil, true},
		"a new one that failed":         {5 * time.Minute, false, false, failed, false},
		"a kept one":                    {0, false, true, nil, true},
		"a kept one that failed":        {0, false, true, failed, true},
		"a kept one, with --keep 0s":    {0, true, true, nil, false},
		"a kept one, with --keep again": {time.Minute, false, true, nil, true},
		"a new one, with --keep 0s":     {0, true, false, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := Session{plan: Plan{EndReused: c.endReused}}
			p := &profiler{running: &launch.Profiler{Reused: c.reused}, options: launch.Options{Keep: c.keep}}
			if got := s.keeps(p, c.err); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
