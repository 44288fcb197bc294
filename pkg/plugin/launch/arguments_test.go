package launch

import (
	"testing"
	"time"
)

func TestReusable(t *testing.T) {
	kept := Options{Duration: 30 * time.Second, Timeout: time.Minute, Keep: 10 * time.Minute}
	short := kept
	short.Keep = 0
	other := web()
	other.ContainerID = "f" + containerID[1:]
	for name, c := range map[string]struct {
		args  []string
		after time.Duration
		want  bool
	}{
		"kept":                     {arguments(web(), kept, noon, nil), 5 * time.Minute, true},
		"without --keep":           {arguments(web(), short, noon, nil), 0, false},
		"for an earlier container": {arguments(other, kept, noon, nil), 0, false},
		"deadline too near":        {arguments(web(), kept, noon, nil), 12 * time.Minute, false},
		"after its deadline":       {arguments(web(), kept, noon, nil), time.Hour, false},
		"other program":            {[]string{"sleep", "1h"}, 0, false},
		"invalid deadline":         {[]string{"--keep=1m", "--container-id=" + containerID, "--deadline=soon"}, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := reusable(c.args, web(), short, noon.Add(c.after)); got != c.want {
				t.Errorf("reusable(%q) after %v = %v, want %v", c.args, c.after, got, c.want)
			}
		})
	}
}
