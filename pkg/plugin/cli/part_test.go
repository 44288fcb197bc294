package cli

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// complete takes arguments as the command does.
func complete(t *testing.T, args string) (*Options, error) {
	t.Helper()
	streams, _, _, _ := genericiooptions.NewTestIOStreams()
	o := NewOptions(streams)
	cmd := &cobra.Command{}
	o.AddFlags(cmd)
	if err := cmd.ParseFlags(strings.Fields(args)); err != nil {
		t.Fatal(err)
	}
	if err := o.Complete(cmd.Flags().Args()); err != nil {
		return o, err
	}
	return o, o.Validate()
}

// Each type gets what it takes of what is asked, and the profiler as little privilege as they need together.
// A target that was left changed is told of, whatever else came out well.
func TestLeftChanged(t *testing.T) {
	heap := &profile.Profile{Comments: []string{"go program: process 1 (web), go1.26.8", "left changed: the memory profile of process 1 (web) stays on"}}
	parts := []*part{{err: errors.New("none")}, {profile: &profile.Profile{}}, {profile: heap}}
	if got := leftChanged(parts); got != "the memory profile of process 1 (web) stays on" {
		t.Errorf("%q", got)
	}
	if got := leftChanged(parts[:2]); got != "" {
		t.Errorf("%q of a target that is as it was", got)
	}
}

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
			o, err := complete(t, c.args)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(o.launch.Requests, c.want) || o.launch.MemoryOnly != c.memory || o.launch.Duration != c.longest {
				t.Errorf("got %q, memory only %v, %v", o.launch.Requests, o.launch.MemoryOnly, o.launch.Duration)
			}
		})
	}
}

func TestFilesOfSeveralTypes(t *testing.T) {
	dir := t.TempDir()
	o, err := complete(t, "web --type cpu,heap -o x/web.pb.gz -o web.speedscope.json -o "+dir+" -o new/ -o plain")
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, files := range o.typeFiles() {
		for _, f := range files {
			paths = append(paths, f.path)
		}
	}
	want := []string{"x/web-cpu.pb.gz", "web-cpu.speedscope.json", dir, "new/", "plain-cpu", "x/web-heap.pb.gz", "web-heap.speedscope.json", dir, "new/", "plain-heap"}
	if !slices.Equal(paths, want) {
		t.Errorf("got %q, want %q", paths, want)
	}
	for _, args := range []string{"web --type cpu,heap -o -", "web --type cpu,heap -f pprof -o /dev/null"} {
		if _, err := complete(t, args); err == nil || !strings.Contains(err.Error(), "of 2 types each needs a file") {
			t.Errorf("%s: %v", args, err)
		}
	}
}

// What is missing is told, by type, and so that the exit code tells whether anything was taken.
func TestMissing(t *testing.T) {
	off := &api.Error{Message: "the program does not collect it"}
	of := func(name string, err error) *part {
		p := &part{request: api.Request{Type: name}, err: err}
		if err == nil {
			p.profile = cpuProfile()
		}
		return p
	}
	for name, c := range map[string]struct {
		parts      []*part
		want       string
		code       int
		everything bool // is missing
	}{
		"nothing":      {[]*part{of("cpu", nil), of("heap", nil)}, "", exitOK, false},
		"one of two":   {[]*part{of("cpu", nil), of("mutex", off)}, "not all of the profiles were taken:\n  mutex: the program does not collect it", exitPartial, false},
		"both":         {[]*part{of("block", off), of("mutex", off)}, "no profile was taken:\n  block: the program does not collect it\n  mutex: the program does not collect it", exitError, true},
		"the only one": {[]*part{of("mutex", off)}, "the program does not collect it", exitError, true},
	} {
		t.Run(name, func(t *testing.T) {
			err := missing(c.parts)
			if text := errorText(err); text != c.want || exitCode(err) != c.code {
				t.Errorf("got %q, exit code %d", text, exitCode(err))
			}
			if (failed(c.parts) != nil) != c.everything {
				t.Errorf("failed: %v", failed(c.parts))
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

var cpuTime = &profile.ValueType{Type: "cpu", Unit: "nanoseconds"}

// After a restart only that goes on which is of a stretch of time and was cut, or has not come.
func TestWhatGoesOnAfterARestart(t *testing.T) {
	cut := cpuProfile([]string{"main.before"})
	cut.PeriodType, cut.Comments = cpuTime, []string{"samples: 1", "partial: the target ended"}
	after := cpuProfile([]string{"main.after"})
	after.PeriodType, after.Comments = cpuTime, []string{"samples: 1"}
	p := &part{request: api.Request{Type: "cpu"}, profile: cut}
	if p.whole() {
		t.Fatal("a partial profile is whole")
	}
	p.goOn(&part{profile: after}, "it was restarted")
	if len(p.profile.Sample) != 2 || !slices.Equal(p.profile.Comments, []string{"samples: 2", "restart: it was restarted"}) {
		t.Errorf("got %v", p.profile)
	}
	lost := &part{request: api.Request{Type: "heap"}, err: errors.New("the connection broke")}
	if lost.whole() {
		t.Error("what has not come is whole")
	}
	lost.goOn(&part{profile: after}, "it was restarted")
	if lost.profile != after || lost.err != nil {
		t.Errorf("got %+v", lost)
	}
	if refusedPart := (&part{err: &api.Error{Message: "no Go program"}}); !refusedPart.whole() {
		t.Error("what was refused is tried again")
	}
}
