package session

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/pprof/profile"
)

func TestExplainStop(t *testing.T) {
	for name, c := range map[string]struct {
		comments []string
		why      string
		want     []string
	}{
		"stopped by the end of the pod": {[]string{"type: cpu", "partial: stopped after 3s", "samples: 7"}, "the pod was deleted",
			[]string{"type: cpu", "partial: the pod was deleted: stopped after 3s", "samples: 7"}},
		"unknown reason":    {[]string{"partial: stopped after 3s", "samples: 7"}, "", []string{"partial: stopped after 3s", "samples: 7"}},
		"partial otherwise": {[]string{"partial: the target ended"}, "the pod was deleted", []string{"partial: the target ended"}},
		"two reasons": {[]string{"partial: the target ended", "partial: stopped after 3s"}, "the pod was deleted",
			[]string{"partial: the target ended", "partial: the pod was deleted: stopped after 3s"}},
		"complete": {[]string{"type: cpu"}, "the pod was deleted", []string{"type: cpu"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Result{Profile: &profile.Profile{Comments: c.comments}}
			r.explainStop(func() string { return c.why })
			if diff := cmp.Diff(c.want, r.Profile.Comments); diff != "" {
				t.Errorf("comments (-want +got):\n%s", diff)
			}
		})
	}
}
