package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// Pairs of windows: in each the target works once without and once with a profile running.
const (
	pairs  = 12
	window = 3 * time.Second
)

// slowdown compares a busy target's own throughput, in rounds per CPU second so that a busy neighbour
// does not count, with and without a profile at 99 Hz. Its noise is what the same comparison gives when
// neither window has a profile.
func slowdown(ctx context.Context, b *bench) ([]row, error) {
	if _, err := b.start(ctx, "spin", os.Getenv("PPROF_WORKLOADS_IMAGE"), []string{"/spin", "-listen=:8080"}); err != nil {
		return nil, err
	}
	var with, noise []float64
	for range pairs {
		first, err := b.throughput(ctx)
		if err != nil {
			return nil, err
		}
		second, err := b.throughput(ctx)
		if err != nil {
			return nil, err
		}
		profiled, err := b.throughputProfiled(ctx)
		if err != nil {
			return nil, err
		}
		noise = append(noise, 100*(first/second-1))
		with = append(with, 100*((first+second)/2/profiled-1))
	}
	return []row{
		{Measure: fmt.Sprintf("slowdown of a busy Go target at 99 Hz, median of %d pairs", pairs), Value: median(with), Unit: "%", Limit: 1},
		{Measure: "the same without a profile (noise)", Value: median(noise), Unit: "%"},
	}, b.remove(ctx, "spin")
}

// throughput measures one window, in rounds per CPU second.
func (b *bench) throughput(ctx context.Context) (float64, error) {
	rounds, cpu, err := b.counters(ctx)
	if err != nil {
		return 0, err
	}
	select {
	case <-time.After(window):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	roundsAfter, cpuAfter, err := b.counters(ctx)
	if err != nil {
		return 0, err
	}
	return (roundsAfter - rounds) / (cpuAfter - cpu) * 1e9, nil
}

// throughputProfiled measures one window in the middle of a profile.
func (b *bench) throughputProfiled(ctx context.Context) (float64, error) {
	cmd := b.plugin(ctx, "--ephemeral", "--keep", "1m", "spin", "-d", (window + 3*time.Second).String())
	done := make(chan error, 1)
	go func() {
		_, err := cmd.Output()
		done <- err
	}()
	time.Sleep(2 * time.Second) // the profiler has started and samples
	value, err := b.throughput(ctx)
	if failure := <-done; failure != nil {
		return 0, failed(cmd, failure)
	}
	return value, err
}

// counters asks the target for the rounds done and the CPU time used in ns.
func (b *bench) counters(ctx context.Context) (rounds, cpu float64, err error) {
	text, err := b.client.CoreV1().Pods(b.namespace).ProxyGet("http", "spin", "8080", "counters", nil).DoRaw(ctx)
	if err != nil {
		return 0, 0, err
	}
	_, err = fmt.Sscan(string(text), &rounds, &cpu)
	return rounds, cpu, err
}
