package session

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/launch"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// cpuProfile returns a profile with one sample of 10 ms for each function.
func cpuProfile(functions ...string) *profile.Profile {
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		PeriodType: &profile.ValueType{Type: "cpu", Unit: "nanoseconds"},
	}
	for i, name := range functions {
		f := &profile.Function{ID: uint64(i + 1), Name: name}
		l := &profile.Location{ID: f.ID, Line: []profile.Line{{Function: f}}}
		p.Function, p.Location = append(p.Function, f), append(p.Location, l)
		p.Sample = append(p.Sample, &profile.Sample{Location: []*profile.Location{l}, Value: []int64{1, int64(10 * time.Millisecond)}})
	}
	return p
}

// After a restart, partial and missing profiles are continued; complete and refused ones are not.
func TestResumeAfterRestart(t *testing.T) {
	cut := cpuProfile("main.before")
	cut.Comments = []string{"samples: 1", "partial: the target ended"}
	after := cpuProfile("main.after")
	after.Comments = []string{"samples: 1"}
	p := &Result{Request: api.Request{Type: api.CPU}, Profile: cut}
	if p.settled() {
		t.Fatal("a partial profile counts as settled")
	}
	p.resume(&Result{Profile: after}, "it was restarted")
	if len(p.Profile.Sample) != 2 || !slices.Equal(p.Profile.Comments, []string{"samples: 2", "restart: it was restarted"}) {
		t.Errorf("got %v", p.Profile)
	}
	lost := &Result{Request: api.Request{Type: api.Heap}, Err: errors.New("the connection broke")}
	if lost.settled() {
		t.Error("a missing profile counts as settled")
	}
	lost.resume(&Result{Profile: after}, "it was restarted")
	if lost.Profile != after || lost.Err != nil {
		t.Errorf("got %+v", lost)
	}
	if refusedResult := (&Result{Err: &api.Error{Message: "no Go program"}}); !refusedResult.settled() {
		t.Error("a refused profile does not count as settled")
	}
}

// The profiler prepares for what it will be asked for: in a Job, a profile that goes on after restarts.
func TestProfilerPreparesForRestarts(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for mode, want := range map[launch.Mode]bool{launch.Ephemeral: false, launch.Job: true} {
		cluster := &brokenCluster{mayReadLogs: true}
		object, err := cluster.session(t, Plan{
			Requests: []api.Request{{Type: api.CPU, Duration: time.Second}}, Mode: mode, WaitForRestart: true,
		}).DryRun(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprint(object)
		got := strings.Contains(text, "restarts=1")
		if got != want || !strings.Contains(text, "--prepare="+api.CPU.Path) {
			t.Errorf("%s: prepares for restarts: %v, want %v: %s", mode, got, want, text)
		}
	}
}
