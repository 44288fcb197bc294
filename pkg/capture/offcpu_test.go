package capture_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/symbol"
)

// take makes a profile of a target for so long.
func take(t *testing.T, s *target, sampler func(capture.Options) (*capture.Sampler, error), o capture.Options, d time.Duration) *profile.Profile {
	t.Helper()
	o.ContainerID = s.id
	c, err := sampler(o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	r, err := c.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := symbol.Symbolize(r.Profile, r.File, r.PerfMap); err != nil {
		t.Fatal(err)
	}
	return r.Profile
}

func TestOffCPU(t *testing.T) {
	needRoot(t)
	s := startWithPipes(t, "/tmp/oc/waits")
	time.Sleep(200*time.Millisecond)
	p := take(t, s, capture.NewOffCPU, capture.Options{ByThread: true}, 3*time.Second)
	for _, s := range p.Sample {
		t.Log(s.Value, s.Label, s.NumLabel, names(s))
	}
	t.Log(p.Comments, time.Duration(p.DurationNanos))
}

func TestPing(t *testing.T) {
	needRoot(t)
	s := startWithPipes(t, "/tmp/oc/waits", "pingpong")
	rounds := func() (n int) {
		s.stdin.Write([]byte("\n"))
		l, _ := s.stdout.ReadString('\n')
		fmt.Sscan(l, &n)
		return
	}
	rate := func() float64 {
		a := rounds()
		b := time.Now()
		time.Sleep(time.Second)
		return float64(rounds()-a) / time.Since(b).Seconds()
	}
	for range 4 {
		t.Logf("without %.0f", rate())
		var p *profile.Profile
		done := make(chan bool)
		go func() {
			p = take(t, s, capture.NewOffCPU, capture.Options{ByThread: true}, 3*time.Second)
			close(done)
		}()
		time.Sleep(1500 * time.Millisecond)
		t.Logf("with %.0f", rate())
		<-done
		for _, s := range p.Sample {
			t.Log(s.Value, s.Label, s.NumLabel, names(s))
		}
		t.Log(p.Comments, time.Duration(p.DurationNanos))
	}
}
