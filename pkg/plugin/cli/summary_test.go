package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/session"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// cpuProfile returns a profile with one sample of 10 ms for each stack, leaf first.
func cpuProfile(stacks ...[]string) *profile.Profile {
	p := &profile.Profile{
		SampleType:        []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		DefaultSampleType: "cpu",
		DurationNanos:     int64(2030 * time.Millisecond),
	}
	functions := map[string]*profile.Location{}
	for _, stack := range stacks {
		s := &profile.Sample{
			Value: []int64{1, int64(10 * time.Millisecond)},
			Label: map[string][]string{"process": {"web"}}, NumLabel: map[string][]int64{"pid": {1}},
		}
		for _, name := range stack {
			if functions[name] == nil {
				id := uint64(len(functions) + 1)
				f := &profile.Function{ID: id, Name: name}
				functions[name] = &profile.Location{ID: id, Line: []profile.Line{{Function: f}}}
				p.Function, p.Location = append(p.Function, f), append(p.Location, functions[name])
			}
			s.Location = append(s.Location, functions[name])
		}
		p.Sample = append(p.Sample, s)
	}
	return p
}

func TestSummary(t *testing.T) {
	lossy := cpuProfile([]string{"main.price", "main.main"}, []string{"main.price", "main.main"}, []string{"main.evil\x1b[2J", "main.main"})
	lossy.Comments = []string{"lost samples: 7"}
	for name, c := range map[string]struct {
		p             *profile.Profile
		leftContainer string
		paths         []string
		want          string
	}{
		"ephemeral": {lossy, "kubectl-pprof-abcde", []string{"web.svg", "web.pb.gz"}, `hottest functions: own share, share with callees
  66.7%  66.7%  main.price
  33.3%  33.3%  main.evil` + "\uFFFD" + `[2J
3 samples of 1 process in 2s, 7 lost
ephemeral container kubectl-pprof-abcde stays in the pod's spec; Kubernetes never removes it
wrote web.svg
wrote web.pb.gz
`},
		"job, to stdout": {cpuProfile([]string{"main.main"}), "", nil, `hottest functions: own share, share with callees
  100.0%  100.0%  main.main
1 sample of 1 process in 2s
`},
		"idle": {cpuProfile(), "", []string{"web.svg"}, `No samples: the container used no CPU in these 2s. CPU samples do not show what it waits for.
0 samples of 0 processes in 2s
wrote web.svg
`},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			o := &session.Outcome{Results: []*session.Result{{Request: api.Request{Type: api.CPU}, Profile: c.p}}, LeftContainer: c.leftContainer}
			summarize(&b, o, c.paths)
			if b.String() != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", &b, c.want)
			}
		})
	}
}

// With several types, each summary has the units of its type.
func TestSummaryOfSeveral(t *testing.T) {
	heap := cpuProfile([]string{"main.remember", "main.main"})
	heap.SampleType = []*profile.ValueType{{Type: "inuse_objects", Unit: "count"}, {Type: "inuse_space", Unit: "bytes"}}
	heap.DefaultSampleType = "inuse_space"
	heap.Sample[0].Value = []int64{1234, 3 << 20}
	goroutines := cpuProfile([]string{"main.wait"})
	goroutines.SampleType, goroutines.DefaultSampleType = []*profile.ValueType{{Type: "goroutine", Unit: "count"}}, ""
	goroutines.Sample[0].Value = []int64{1}
	var b bytes.Buffer
	summarize(&b, &session.Outcome{Results: []*session.Result{
		{Request: api.Request{Type: api.Heap}, Profile: heap},
		{Request: api.Request{Type: api.Goroutine}, Profile: goroutines},
		{Request: api.Request{Type: api.Mutex}, Err: errors.New("the program does not collect it")},
		{Request: api.Request{Type: api.OffCPU}, Profile: &profile.Profile{SampleType: []*profile.ValueType{{Type: "offcpu", Unit: "nanoseconds"}}, DurationNanos: 1e9}},
	}}, []string{"web-heap.svg"})
	const want = `heap: functions with the most inuse space: own share, share with callees
  100.0%  100.0%  main.remember
1,234 inuse objects, 3.00MiB inuse space of 1 process
goroutine: functions with the most goroutines: own share, share with callees
  100.0%  100.0%  main.wait
1 goroutine of 1 process
offcpu: No samples of offcpu in these 1s: there was nothing to record.
0 offcpu of 0 processes in 1s
wrote web-heap.svg
`
	if b.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", &b, want)
	}
}

func TestShorten(t *testing.T) {
	exact := strings.Repeat("é", maxName)
	for name, want := range map[string]string{"main.work": "main.work", exact: exact, exact + "xy": exact + "…"} {
		if got := shorten(name, maxName); got != want {
			t.Errorf("%s: got %s", name, got)
		}
	}
}
