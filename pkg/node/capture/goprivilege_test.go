//go:build linux

package capture_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/wall"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang/profiles"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// readerVariable is the environment variable that makes this test binary profile the container it names, and print the
// samples and comments of the profiles.
const readerVariable = "CAPTURE_TEST_READS"

type readSummary struct {
	Samples  map[string]int64 // by the kind of their stacks
	Comments []string
	Error    string
}

func init() {
	id := os.Getenv(readerVariable)
	if id == "" {
		return
	}
	all := map[string]readSummary{}
	o := capture.Options{ContainerID: id, Frequency: 99}
	frozen := o
	frozen.Freeze = true
	goroutines, err := profiles.NewGoroutines(o)
	all["goroutine"] = summarize(goroutines, err)
	goroutines, err = profiles.NewGoroutines(frozen)
	all["frozen"] = summarize(goroutines, err)
	wall, err := wall.New(o)
	all["wall"] = summarize(wall, err)
	json.NewEncoder(os.Stdout).Encode(all)
	os.Exit(0)
}

func summarize(s interface {
	Run(context.Context) (*capture.Result, error)
	Progress() capture.Progress
}, err error) readSummary {
	if err != nil {
		return readSummary{Error: err.Error()}
	}
	ctx, cancel := context.WithTimeout(context.Background(), capture.WaitLimit)
	defer cancel()
	go func() { // until there are some 40 readings of some 10 goroutines
		for ctx.Err() == nil && s.Progress().Samples < 400 {
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
	}()
	r, err := s.Run(ctx)
	if err != nil {
		return readSummary{Error: err.Error()}
	}
	one := readSummary{Samples: map[string]int64{}, Comments: r.Profile.Comments}
	for _, s := range r.Profile.Sample {
		one.Samples[kindOfStack(s)] += s.Value[0]
	}
	return one
}

// kindOfStack distinguishes real stacks from placeholders. It needs no symbols.
func kindOfStack(s *profile.Sample) string {
	if l := s.Location[0]; len(l.Line) > 0 {
		return l.Line[0].Function.Name
	}
	return strings.Join(s.Label["state"], "")
}

// CAP_SYS_PTRACE alone is enough to read goroutines, once and over time. Running goroutines then have no stack, unless
// the program is stopped.
func TestReadingNeedsPtraceOnly(t *testing.T) {
	need.Root(t)
	p := start(t, buildGo(t, "local", "'-ldflags=-s -w'", "blocks"))
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	read := func(capabilities string) (all map[string]readSummary) {
		t.Helper()
		cmd := exec.Command("setpriv", "--bounding-set="+capabilities, "--inh-caps="+capabilities, self)
		cmd.Env = append(os.Environ(), readerVariable+"="+p.id)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out, &all); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return all
	}
	all := read("-all,+sys_ptrace")
	for again := 0; again < 10 && all["frozen"].Samples["running"] == 0; again++ { // the busy goroutine may just be waiting for its turn
		all = read("-all,+sys_ptrace")
	}
	for _, name := range []string{"goroutine", "frozen", "wall"} {
		got := all[name]
		if got.Error != "" || got.Samples["waiting"] < 7 {
			t.Errorf("%s: %+v", name, got)
		}
		if name == "frozen" && got.Samples["running"] < 1 {
			t.Errorf("no running goroutine has a stack: %+v", got)
		}
	}
	// Where threads can be sampled, on a busy machine some running goroutines have no stack all the same.
	if got := all["wall"]; got.Samples["[running]"]+got.Samples["running"] < 10 {
		t.Errorf("running goroutines are missing: %+v", got)
	} else if why := strings.Join(got.Comments, "\n"); got.Samples["running"] == 0 && !strings.Contains(why, "cannot be sampled: ") {
		t.Errorf("no comment gives the reason: %+v", got)
	}
	for name, got := range read("-all") {
		if !strings.Contains(got.Error, "CAP_SYS_PTRACE") {
			t.Errorf("%s without any capability: %+v", name, got)
		}
	}
}
