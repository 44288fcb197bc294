//go:build linux

package capture_test

import (
	"bytes"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// The goroutines marked as leaked are those in the program's own profile of leaked goroutines, and none before it has
// searched for them. The traceback has the same marks as the runtime's.
func TestLeakedGoroutines(t *testing.T) {
	need.Root(t)
	for _, b := range []struct{ version, experiment string }{{"local", "goroutineleakprofile"}, {"go1.27.3", ""}} {
		t.Run(b.version, func(t *testing.T) {
			t.Setenv("GOEXPERIMENT", b.experiment)
			p := startParked(t, buildGo(t, b.version, "'-ldflags=-s -w'", "leaks"))
			if before := leaked(goroutines(t, capture.Options{ContainerID: p.id})); len(before.Sample) != 0 {
				t.Errorf("leaked before the program has searched: %v", atStacks(before))
			}
			path := p.writeOwn(t)
			want := atStacks(readProfile(t, path))
			each := goroutines(t, capture.Options{ContainerID: p.id, ByGoroutine: true})
			got := leaked(each)
			if stacks := atStacks(got); !maps.Equal(stacks, want) || total(got) != 5 {
				t.Errorf("leaked goroutines %v, want %v", stacks, want)
			}
			if comments := strings.Join(each.Comments, "\n"); !strings.Contains(comments, "found them: 5") {
				t.Errorf("no comment counts the leaked goroutines: %s", comments)
			}
			var text bytes.Buffer
			if err := render.Write(&text, each, render.Text); err != nil {
				t.Fatal(err)
			}
			theirs, err := os.ReadFile(path + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			if got, want := headers(text.Bytes()), headers(theirs); got != want {
				t.Errorf("the traceback has the goroutines\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// leaked returns a copy of a profile with the samples of leaked goroutines only.
func leaked(p *profile.Profile) *profile.Profile {
	p = p.Copy()
	p.Sample = slices.DeleteFunc(p.Sample, func(s *profile.Sample) bool { return !slices.Equal(s.Label["state"], []string{"leaked"}) })
	return p
}

// headers returns the lines of a traceback that begin goroutines, without the first goroutine's.
func headers(text []byte) string {
	var all []string
	for _, line := range regexp.MustCompile(`(?m)^goroutine (\d+) .*$`).FindAllStringSubmatch(string(text), -1) {
		if line[1] != "1" {
			all = append(all, line[0])
		}
	}
	return strings.Join(all, "\n")
}
