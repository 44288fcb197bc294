package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/google/pprof/profile"
)

// load is a busy target and how it is profiled.
type load struct {
	name   string
	frames int // of its stacks
	hz     int
	pairs  int           // of windows: in one the target is profiled, in the other it is not
	window time.Duration // of measuring
	limit  float64       // % of slowdown
}

// slowdown is that of a usual profile.
func slowdown(ctx context.Context, b *bench) ([]row, error) {
	return b.slowdown(ctx, load{name: "spin", frames: 1, hz: 99, pairs: 12, window: 3 * time.Second, limit: 1})
}

// slowdownDeep is that of the finest profile, of deep stacks.
func slowdownDeep(ctx context.Context, b *bench) ([]row, error) {
	return b.slowdown(ctx, load{name: "spin-deep", frames: 200, hz: 999, pairs: 9, window: 2 * time.Second, limit: 3})
}

// slowdown compares a busy target's own throughput, in rounds per CPU second so that a busy neighbour
// does not count, with and without a profile: the windows alternate, and each with a profile is compared with
// the two around it. The noise is by what these two differ.
func (b *bench) slowdown(ctx context.Context, l load) ([]row, error) {
	image := os.Getenv("PPROF_WORKLOADS_IMAGE")
	if _, err := b.start(ctx, l.name, image, []string{"/spin", "-listen=:8080", "-depth", strconv.Itoa(l.frames)}); err != nil {
		return nil, err
	}
	var with, noise []float64
	before, err := b.throughput(ctx, l)
	if err != nil {
		return nil, err
	}
	for range l.pairs {
		profiled, err := b.throughputProfiled(ctx, l)
		if err != nil {
			return nil, err
		}
		after, err := b.throughput(ctx, l)
		if err != nil {
			return nil, err
		}
		with = append(with, 100*((before+after)/2/profiled-1))
		noise = append(noise, 100*(before/after-1))
		before = after
	}
	what := fmt.Sprintf("at %d Hz, stacks of %d frames or more, median of %d pairs", l.hz, l.frames, l.pairs)
	return []row{
		{Measure: "slowdown of a busy Go target " + what, Value: median(with), Unit: "%", Limit: l.limit},
		{Measure: "the same without a profile (noise)", Value: median(noise), Unit: "%"},
	}, b.remove(ctx, l.name)
}

// throughput measures one window, in rounds per CPU second.
func (b *bench) throughput(ctx context.Context, l load) (float64, error) {
	rounds, cpu, err := b.counters(ctx, l.name)
	if err != nil {
		return 0, err
	}
	select {
	case <-time.After(l.window):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	roundsAfter, cpuAfter, err := b.counters(ctx, l.name)
	if err != nil {
		return 0, err
	}
	return (roundsAfter - rounds) / (cpuAfter - cpu) * 1e9, nil
}

// throughputProfiled measures one window in the middle of a profile.
func (b *bench) throughputProfiled(ctx context.Context, l load) (float64, error) {
	cmd := b.plugin(ctx, "--ephemeral", "--keep", "1m", l.name, "--frequency", strconv.Itoa(l.hz), "-d", (l.window + 3*time.Second).String())
	var out []byte
	done := make(chan error, 1)
	go func() {
		var err error
		out, err = cmd.Output()
		done <- err
	}()
	time.Sleep(2500 * time.Millisecond) // the profiler has started and samples
	begin := time.Now()
	value, err := b.throughput(ctx, l)
	end := time.Now()
	if failure := <-done; failure != nil {
		return 0, failed(cmd, failure)
	}
	if err != nil {
		return 0, err
	}
	p, err := profile.Parse(bytes.NewReader(out))
	if err != nil {
		return 0, err
	}
	from := time.Unix(0, p.TimeNanos)
	if to := from.Add(time.Duration(p.DurationNanos)); begin.Before(from) || end.After(to) {
		return 0, fmt.Errorf("sampling was from %v to %v, not all of the time from %v to %v", from, to, begin, end)
	}
	return value, nil
}

// counters asks the target for the rounds done and the CPU time used in ns.
func (b *bench) counters(ctx context.Context, pod string) (rounds, cpu float64, err error) {
	text, err := b.client.CoreV1().Pods(b.namespace).ProxyGet("http", pod, "8080", "counters", nil).DoRaw(ctx)
	if err != nil {
		return 0, 0, err
	}
	_, err = fmt.Sscan(string(text), &rounds, &cpu)
	return rounds, cpu, err
}
