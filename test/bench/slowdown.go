//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// load is a busy target with the profile to take of it.
type load struct {
	name    string
	command []string
	typ     string // of the profile
	hz      int
	pairs   int           // pairs of a window in which the target is profiled and one in which it is not
	window  time.Duration // length of a window
	limit   float64       // largest acceptable slowdown, in %
}

// slowdown measures the slowdown by a profile with default settings.
func slowdown(ctx context.Context, b *bench) ([]row, error) {
	return b.slowdownOfSpin(ctx, "spin", 1, load{hz: 99, pairs: 12, window: 3 * time.Second, limit: 0.5})
}

// slowdownDeep measures the slowdown by a profile of deep stacks at the highest frequency.
func slowdownDeep(ctx context.Context, b *bench) ([]row, error) {
	return b.slowdownOfSpin(ctx, "spin-deep", 200, load{hz: 999, pairs: 9, window: 2 * time.Second, limit: 2})
}

func (b *bench) slowdownOfSpin(ctx context.Context, name string, frames int, l load) ([]row, error) {
	l.name, l.typ, l.command = name, "cpu", []string{"/spin", "-listen=:8080", "-depth", strconv.Itoa(frames)}
	return b.slowdown(ctx, l, fmt.Sprintf("a busy Go target at %d Hz, stacks of %d frames or more", l.hz, frames))
}

// slowdownOfAllocations measures what a type of profile costs a program that allocates 20 million
// objects a second. Types that are read at once are read once in each window.
func slowdownOfAllocations(typ string) measure {
	l := load{name: "alloc-" + typ, command: []string{"/alloc"}, typ: typ, hz: 99, pairs: 11, window: 2 * time.Second, limit: 2}
	return measure{"slowdown-alloc/" + typ, func(ctx context.Context, b *bench) ([]row, error) {
		return b.slowdown(ctx, l, "a Go target that allocates, type "+typ)
	}}
}

// slowdown compares a busy target's throughput with and without a profile, in rounds per CPU
// second, which other programs on the machine hardly influence. The windows alternate, and each one
// with a profile is compared with the two around it; the difference of those two is the noise.
// `kubectl pprof serve` keeps one profiler running for all profiles, so that neither the profiler's
// start nor the plugin's falls into a window.
func (b *bench) slowdown(ctx context.Context, l load, what string) ([]row, error) {
	if _, err := b.start(ctx, l.name, os.Getenv("PPROF_WORKLOADS_IMAGE"), l.command); err != nil {
		return nil, err
	}
	t, err := api.ParseType(l.typ)
	if err != nil {
		return nil, err
	}
	s, err := b.serve(ctx, l.name, t)
	if err != nil {
		return nil, err
	}
	defer s.close()
	profiled := b.throughputDuring
	if t.Instant {
		profiled = b.throughputWithOne
	}
	if _, err := profiled(ctx, l, s); err != nil { // the first profile of a program takes longer
		return nil, err
	}
	var with, noise []float64
	before, err := b.throughput(ctx, l)
	if err != nil {
		return nil, err
	}
	for range l.pairs {
		value, err := profiled(ctx, l, s)
		if err != nil {
			return nil, err
		}
		after, err := b.throughput(ctx, l)
		if err != nil {
			return nil, err
		}
		with = append(with, 100*((before+after)/2/value-1))
		noise = append(noise, 100*(before/after-1))
		before = after
	}
	what = fmt.Sprintf("%s, median of %d pairs", what, l.pairs)
	return []row{
		{Measure: "slowdown of " + what, Value: median(with), Unit: "%", Limit: l.limit},
		{Measure: "the same without a profile (noise)", Value: median(noise), Unit: "%"},
	}, b.remove(ctx, l.name)
}

// throughput returns the throughput in one window, in rounds per CPU second.
func (b *bench) throughput(ctx context.Context, l load) (float64, error) {
	since, err := b.since(ctx, l)
	if err != nil {
		return 0, err
	}
	select {
	case <-time.After(l.window):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	return since()
}

// since returns a function that returns the throughput since this call, in rounds per CPU second.
func (b *bench) since(ctx context.Context, l load) (func() (float64, error), error) {
	rounds, cpu, err := b.counters(ctx, l.name)
	return func() (float64, error) {
		roundsAfter, cpuAfter, err := b.counters(ctx, l.name)
		return (roundsAfter - rounds) / (cpuAfter - cpu) * 1e9, err
	}, err
}

// margin is how much longer a profile lasts than its window, at both ends together.
const margin = 2 * time.Second

// throughputDuring returns the throughput in a window in the middle of a profile.
func (b *bench) throughputDuring(ctx context.Context, l load, s *served) (float64, error) {
	done := s.ask(ctx, url.Values{"frequency": {strconv.Itoa(l.hz)}, "seconds": {strconv.Itoa(int((l.window + margin) / time.Second))}})
	select {
	case <-time.After(margin / 2):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	begin := time.Now()
	value, err := b.throughput(ctx, l)
	end := time.Now()
	a := <-done
	if err := errors.Join(err, a.err); err != nil {
		return 0, err
	}
	from := time.Unix(0, a.profile.TimeNanos)
	if to := from.Add(time.Duration(a.profile.DurationNanos)); begin.Before(from) || end.After(to) {
		return 0, fmt.Errorf("the profile was from %v to %v, the window from %v to %v", from, to, begin, end)
	}
	return value, nil
}

// throughputWithOne returns the throughput in a window during which one profile without a duration
// is requested and received.
func (b *bench) throughputWithOne(ctx context.Context, l load, s *served) (float64, error) {
	since, err := b.since(ctx, l)
	if err != nil {
		return 0, err
	}
	end := time.After(l.window)
	if a := <-s.ask(ctx, nil); a.err != nil {
		return 0, a.err
	}
	select {
	case <-end:
		return 0, fmt.Errorf("the profile took longer than the window of %v", l.window)
	default:
		<-end
	}
	return since()
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
