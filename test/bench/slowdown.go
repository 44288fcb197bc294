package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/api"
)

// load is a busy target and how it is profiled.
type load struct {
	name    string
	command []string
	typ     string // of the profile
	hz      int
	pairs   int           // of windows: in one the target is profiled, in the other it is not
	window  time.Duration // of measuring
	limit   float64       // % of slowdown
}

// slowdown is that of a usual profile.
func slowdown(ctx context.Context, b *bench) ([]row, error) {
	return b.slowdownOfSpin(ctx, "spin", 1, load{hz: 99, pairs: 12, window: 3 * time.Second, limit: 1})
}

// slowdownDeep is that of the finest profile, of deep stacks.
func slowdownDeep(ctx context.Context, b *bench) ([]row, error) {
	return b.slowdownOfSpin(ctx, "spin-deep", 200, load{hz: 999, pairs: 9, window: 2 * time.Second, limit: 3})
}

func (b *bench) slowdownOfSpin(ctx context.Context, name string, frames int, l load) ([]row, error) {
	l.name, l.typ, l.command = name, "cpu", []string{"/spin", "-listen=:8080", "-depth", strconv.Itoa(frames)}
	return b.slowdown(ctx, l, fmt.Sprintf("a busy Go target at %d Hz, stacks of %d frames or more", l.hz, frames))
}

// slowdownOfAllocations is what each type of profile costs a program that allocates 20 million objects a second.
func slowdownOfAllocations(ctx context.Context, b *bench) ([]row, error) {
	var rows []row
	for _, t := range api.ProfileTypes() {
		r, err := b.slowdown(ctx, load{
			name: "alloc-" + t.Name, command: []string{"/alloc"}, typ: t.Name, hz: 99, pairs: 7, window: 3 * time.Second, limit: 2,
		}, "a Go target that allocates, type "+t.Name)
		if err != nil {
			return nil, fmt.Errorf("type %s: %w", t.Name, err)
		}
		rows = append(rows, r...)
	}
	return rows, nil
}

// slowdown compares a busy target's own throughput, in rounds per CPU second so that a busy neighbour
// does not count, with and without a profile: the windows alternate, and each with a profile is compared with
// the two around it. The noise is by what these two differ.
func (b *bench) slowdown(ctx context.Context, l load, what string) ([]row, error) {
	if _, err := b.start(ctx, l.name, os.Getenv("PPROF_WORKLOADS_IMAGE"), l.command); err != nil {
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
	what = fmt.Sprintf("%s, median of %d pairs", what, l.pairs)
	return []row{
		{Measure: "slowdown of " + what, Value: median(with), Unit: "%", Limit: l.limit},
		{Measure: "the same without a profile (noise)", Value: median(noise), Unit: "%"},
	}, b.remove(ctx, l.name)
}

// throughput measures one window, in rounds per CPU second.
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

// since gives what measures from now on, in rounds per CPU second.
func (b *bench) since(ctx context.Context, l load) (func() (float64, error), error) {
	rounds, cpu, err := b.counters(ctx, l.name)
	return func() (float64, error) {
		roundsAfter, cpuAfter, err := b.counters(ctx, l.name)
		return (roundsAfter - rounds) / (cpuAfter - cpu) * 1e9, err
	}, err
}

// errOutside is given where sampling was not all of the time that was measured.
var errOutside = errors.New("sampling began too late for the window")

// throughputProfiled measures one window in the middle of a profile. How long the profiler takes to begin is known
// when it has.
func (b *bench) throughputProfiled(ctx context.Context, l load) (float64, error) {
	for lead := 2500 * time.Millisecond; ; lead *= 2 {
		value, err := b.profiledAfter(ctx, l, lead)
		if !errors.Is(err, errOutside) || lead > 8*time.Second {
			return value, err
		}
	}
}

// profiledAfter measures when the plugin has run for the given time. A profile that takes no time, as of what is in
// memory, is measured from the command's begin to its end.
func (b *bench) profiledAfter(ctx context.Context, l load, lead time.Duration) (float64, error) {
	whole, err := b.since(ctx, l)
	if err != nil {
		return 0, err
	}
	cmd := b.plugin(ctx, "--ephemeral", "--keep", "1m", l.name, "--type", l.typ, "--frequency", strconv.Itoa(l.hz), "-d", (l.window + lead + 500*time.Millisecond).String())
	var out []byte
	done := make(chan error, 1)
	go func() {
		var err error
		out, err = cmd.Output()
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			return 0, failed(cmd, err)
		}
		return whole()
	case <-time.After(lead): // the profiler has started and samples
	}
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
		return 0, fmt.Errorf("%w: it was from %v to %v, the window from %v to %v", errOutside, from, to, begin, end)
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
