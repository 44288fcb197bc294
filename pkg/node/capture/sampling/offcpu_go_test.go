//go:build linux

package sampling

import (
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/capturetest"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/run"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/symbol"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// offCPUOf prepares a profile of a workload.
func offCPUOf(t *testing.T, workload string) (id string, c *Sampler) {
	t.Helper()
	need.Root(t)
	id, _ = capturetest.StartWorkload(t, workload)
	c, err := NewOffCPU(run.Options{ContainerID: id})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return id, c
}

// What is known of a thread is freed when it ends. Otherwise the profiler would grow with each thread that the target starts.
func TestShortThreadsAreForgotten(t *testing.T) {
	id, c := offCPUOf(t, "nap")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		out, err := exec.Command("/bin/sh", "-c", `echo $$ > "$0"; for i in $(seq 1000); do /bin/true; done; echo $$ > "$1"`,
			filepath.Join(capturetest.CgroupRoot(), "capture-test", id, "cgroup.procs"), filepath.Join(capturetest.CgroupRoot(), "cgroup.procs")).CombinedOutput()
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}()
	if _, err := c.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if n := c.waits.Places(); n > 200 {
		t.Errorf("%d places are known after 1,000 processes have ended", n)
	}
}

// The stacks of goroutines that wait in the kernel have their functions and labels. The slices add up to the whole profile.
func TestOffCPUOfGo(t *testing.T) {
	_, c := offCPUOf(t, "nap")
	ctx, cancel := context.WithTimeout(t.Context(), capturetest.WaitLimit)
	defer cancel()
	sliced := make(chan float64, 1)
	go func() {
		defer cancel()
		total := 0.0
		// On a busy machine waits may be known late.
		for ctx.Err() == nil && (total < 2 || total < 0.6*c.Progress().Elapsed.Seconds()) {
			time.Sleep(500 * time.Millisecond)
			r, err := c.Slice()
			if err != nil {
				t.Error(err)
				break
			}
			if r != nil && ctx.Err() == nil {
				for _, s := range r.Profile.Sample {
					if s.Value[1] < 0 || s.Value[0] < 0 {
						t.Errorf("a slice has values %v", s.Value)
					}
					total += float64(s.Value[1]) / 1e9
				}
			}
		}
		sliced <- total
	}()
	r, err := c.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := c.Slice(); s != nil || err != nil {
		t.Errorf("a slice after the end: %v, %v", s, err)
	}
	if p := c.Progress(); p.Samples == 0 || p.Processes != 1 {
		t.Errorf("progress %+v", p)
	}
	if err := symbol.Symbolize(r.Profile, r.File, r.PerfMap); err != nil {
		t.Fatal(err)
	}
	whole := time.Duration(r.Profile.DurationNanos).Seconds()
	all, napping := 0.0, 0.0
	for _, s := range r.Profile.Sample {
		seconds := float64(s.Value[1]) / 1e9
		all += seconds
		if stack := functions(s); strings.Contains(stack, ".nap,") && strings.Contains(stack, "runtime/pprof.Do,") && slices.Equal(s.Label["request"], []string{"slow"}) {
			napping += seconds
		}
	}
	if napping < 0.9*whole || napping > 1.01*whole {
		for _, s := range r.Profile.Sample {
			t.Log(s.Value, s.Label, functions(s))
		}
		t.Errorf("the goroutine that naps does so for %.3f s of %.3f", napping, whole)
	}
	// What came after the last slice is in none.
	if total := <-sliced; total < 2 || total > all {
		t.Errorf("slices have %.3f s of %.3f", total, all)
	}
}

func functions(s *profile.Sample) string {
	var b strings.Builder
	for _, l := range s.Location {
		for _, line := range l.Line {
			b.WriteString(line.Function.Name + ",")
		}
	}
	return b.String()
}
