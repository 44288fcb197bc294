package cli

import (
	"errors"
	"testing"

	"github.com/google/pprof/profile"
)

// A comparison reports problems of the profiles that it took itself. A target that was left changed is
// reported before a partial profile, because somebody has to act on it.
func TestIncompleteDifference(t *testing.T) {
	with := func(comments ...string) *profile.Profile { return &profile.Profile{Comments: comments} }
	const changed, partial = "left changed: runtime.MemProfileRate of process 7", "partial: the target ended"
	pod, file := side{name: "web-0", pod: new(capturePlan)}, side{name: "old.svg"}
	for name, c := range map[string]struct {
		before, after side
		profiles      []*profile.Profile
		stopped       bool
		want          error
	}{
		"complete":             {pod, pod, []*profile.Profile{with(), with()}, false, nil},
		"left changed":         {pod, pod, []*profile.Profile{with(partial), with(changed)}, false, errLeftChanged},
		"left changed, files":  {file, pod, []*profile.Profile{with(changed, partial), with()}, false, nil},
		"left changed, Ctrl-C": {file, pod, []*profile.Profile{with(), with(changed)}, true, errLeftChanged},
		"partial":              {pod, file, []*profile.Profile{with(partial), with()}, false, errPartial},
		"partial by Ctrl-C":    {pod, file, []*profile.Profile{with(partial), with()}, true, nil},
	} {
		plan := &diffPlan{sides: []side{c.before, c.after}}
		if err := plan.incomplete(c.profiles, c.stopped); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}
