package cli

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/session"
)

// planOf parses flags and arguments as the root command does.
func planOf(t *testing.T, args string) (*profilePlan, error) {
	t.Helper()
	streams, _, _, _ := genericiooptions.NewTestIOStreams()
	p := newProfileFlags(streams.Out)
	cmd := &cobra.Command{}
	p.addTo(cmd)
	if err := cmd.ParseFlags(strings.Fields(args)); err != nil {
		t.Fatal(err)
	}
	return p.plan(cmd.Flags().Args(), streams.Out)
}

// Each request has only the parameters that its type takes, and the profiler has only the
// privileges that all types need.
func TestRequestsOfSeveralTypes(t *testing.T) {
	for name, c := range map[string]struct {
		args    string
		want    []string // paths with parameters
		memory  bool
		longest time.Duration
	}{
		"the default":             {"web -d 10s", []string{"/debug/pprof/profile?frequency=99&seconds=10"}, false, 10 * time.Second},
		"an alias, and one twice": {"web --type memory,heap -d 90s", []string{"/debug/pprof/heap?frequency=99&seconds=30"}, true, 30 * time.Second},
		"each its own": {"web --type heap,cpu,goroutine --by thread --freeze -d 45s", []string{
			"/debug/pprof/heap?frequency=99&seconds=30", "/debug/pprof/profile?by=thread&frequency=99&seconds=45", "/debug/pprof/goroutine?freeze=1&frequency=99&seconds=30",
		}, false, 45 * time.Second},
		"a memory profile to turn on": {"web --type heap,mutex --enable-memprofile --memprofile-rate 1000 -d 5s", []string{
			"/debug/pprof/heap?frequency=99&memprofilerate=1000&seconds=5", "/debug/pprof/mutex?frequency=99&seconds=30",
		}, true, 30 * time.Second},
		"a traceback": {"web --type goroutine,heap -o x.txt", []string{"/debug/pprof/goroutine?by=goroutine&frequency=99&seconds=30", "/debug/pprof/heap?frequency=99&seconds=30"}, true, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			plan, err := planOf(t, c.args)
			if err != nil {
				t.Fatal(err)
			}
			o := session.LaunchOptions(plan.session.Launch, plan.session.Requests)
			var got []string
			for _, r := range o.Requests {
				got = append(got, r.String())
			}
			if !slices.Equal(got, c.want) || o.MemoryOnly != c.memory || o.Duration != c.longest {
				t.Errorf("got %q, memory only %v, %v", got, o.MemoryOnly, o.Duration)
			}
		})
	}
}

func TestFilesOfSeveralTypes(t *testing.T) {
	dir := t.TempDir()
	plan, err := planOf(t, "web --type cpu,heap -o x/web.pb.gz -o web.speedscope.json -o "+dir+" -o new/ -o plain")
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, files := range plan.files {
		for _, f := range files {
			paths = append(paths, f.path)
		}
	}
	want := []string{"x/web-cpu.pb.gz", "web-cpu.speedscope.json", dir, "new/", "plain-cpu", "x/web-heap.pb.gz", "web-heap.speedscope.json", dir, "new/", "plain-heap"}
	if !slices.Equal(paths, want) {
		t.Errorf("got %q, want %q", paths, want)
	}
	for _, args := range []string{"web --type cpu,heap -o -", "web --type cpu,heap -f pprof -o /dev/null"} {
		if _, err := planOf(t, args); err == nil || !strings.Contains(err.Error(), "each of the 2 types needs a file") {
			t.Errorf("%s: %v", args, err)
		}
	}
}
