//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

// counts compares the number of samples with the CPU time that the target used, and measures the
// CPU time and memory that the profiler uses meanwhile, for each combination of these.
var (
	countFrequencies = []int{19, 99, 499, 999} // Hz
	countThreads     = []int{1, 2, 8, 64}
)

// perSampleLimits are the largest acceptable times in the BPF program for one sample, in µs, by
// frequency. At lower frequencies less of the program and its data is in the CPU's caches.
var perSampleLimits = map[int]float64{99: 5}

// ownCPULimits are the largest acceptable CPU times of the profiler while it samples and sends slices,
// in % of a core, by frequency.
var ownCPULimits = map[int]float64{99: 0.3}

// countWindow returns how long to sample: longer at lower frequencies. While other programs use the
// CPUs too, the number of samples is random with a deviation of about √n, so a busy machine may
// miss the limit.
func countWindow(hz int) time.Duration {
	switch {
	case hz < 50:
		return 20 * time.Second
	case hz < 200:
		return 8 * time.Second
	}
	return 4 * time.Second
}

func counts(ctx context.Context, b *bench) ([]row, error) {
	if err := needNode(); err != nil {
		return nil, err
	}
	restore, err := timeBPF()
	if err != nil {
		return nil, err
	}
	defer restore()
	var accuracy, cpu, program, memory []row
	maps := 0.0
	for _, threads := range countThreads {
		name := fmt.Sprintf("spin-%d", threads)
		pod, err := b.start(ctx, name, os.Getenv("PPROF_WORKLOADS_IMAGE"), []string{"/spin", "-threads", strconv.Itoa(threads)})
		if err != nil {
			return nil, err
		}
		_, id, _ := strings.Cut(pod.Status.ContainerStatuses[0].ContainerID, "://")
		for _, hz := range countFrequencies {
			c, err := b.count(ctx, name, id, hz)
			if err != nil {
				return nil, err
			}
			at := fmt.Sprintf("%d Hz, %d busy threads", hz, threads)
			want := c.used.Seconds() * float64(hz)
			accuracy = append(accuracy, row{
				Measure: fmt.Sprintf("%s: %.0f samples, CPU time × frequency is %.0f, off by", at, c.samples, want), Unit: "%",
				Value: 100 * math.Abs(c.samples-want) / want, Limit: math.Ceil(max(200, 100*100*3/want)) / 100,
			})
			cpu = append(cpu, row{
				Measure: at + ": profiler's own CPU time while sampling", Unit: "% of a core",
				Value: 100 * c.own, Limit: ownCPULimits[hz],
			})
			program = append(program, row{
				Measure: at + ": BPF program, a sample", Unit: "µs", Value: c.perSample, Limit: perSampleLimits[hz],
			})
			memory = append(memory, row{Measure: at + ": profiler's peak memory, BPF maps not included", Unit: "MB", Value: c.peak})
			maps = max(maps, c.maps)
		}
		if err := b.remove(ctx, name); err != nil {
			return nil, err
		}
	}
	rows := append(append(append(accuracy, cpu...), program...), memory...)
	return append(rows, row{Measure: "memory of the BPF maps, largest of the above", Unit: "MB", Value: maps}), nil
}

// count is one profile with the resources used while it was sampled.
type count struct {
	samples   float64
	used      time.Duration // CPU time of the target, see taskClock
	own       float64       // CPU time of the profiler divided by the wall time
	perSample float64       // µs in the BPF program, including runs that found other programs' threads
	peak      float64       // MB
	maps      float64       // MB of BPF maps
}

// count takes a profile while it polls what target and profiler use. The profile records when
// sampling began and ended; the use at those times is interpolated between two polls.
func (b *bench) count(ctx context.Context, name, containerID string, hz int) (*count, error) {
	target, ok := targetOf(containerID, "/spin")
	if !ok {
		return nil, fmt.Errorf("the process of pod %s is not on this machine", name)
	}
	clock, err := newTaskClock(target)
	if err != nil {
		return nil, err
	}
	defer clock.close()
	if profiler, ok := profilerOf(containerID); ok {
		if err := forgetPeak(profiler); err != nil {
			return nil, err
		}
	}
	var text []byte
	cmd := b.plugin(ctx, "--ephemeral", name, "-d", countWindow(hz).String(), "--frequency", strconv.Itoa(hz), "--keep", "5m")
	done := make(chan error, 1)
	go func() {
		var err error
		text, err = cmd.Output()
		done <- err
	}()
	var targetUse, ownUse useOverTime
	var bpf bpfUse
	profiler, running := 0, true
	for running {
		used, err := clock.used()
		if err != nil {
			return nil, err
		}
		targetUse.add(used)
		if profiler == 0 {
			profiler, _ = profilerOf(containerID)
		} else {
			ownUse.add(cpuTime(profiler))
			now := bpfOf(profiler) // programs and maps of a capture are closed one after the other
			bpf = bpfUse{maps: max(bpf.maps, now.maps), time: max(bpf.time, now.time)}
		}
		select {
		case err := <-done:
			if err != nil {
				return nil, failed(cmd, err)
			}
			running = false
		case <-time.After(100 * time.Millisecond):
		}
	}
	p, err := profile.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	begin := time.Unix(0, p.TimeNanos)
	end := begin.Add(time.Duration(p.DurationNanos))
	c := &count{used: targetUse.between(begin, end), maps: bpf.maps}
	c.own = ownUse.between(begin, end).Seconds() / end.Sub(begin).Seconds()
	for _, s := range p.Sample {
		c.samples += float64(s.Value[0])
	}
	if bpf.time == 0 {
		return nil, fmt.Errorf("pod %s: no time of the profiler's BPF programs was read", name)
	}
	c.perSample = float64(bpf.time.Microseconds()) / max(c.samples, 1)
	if c.peak, ok = peakMemory(profiler); !ok {
		return nil, fmt.Errorf("the profiler of pod %s is not on this machine", name)
	}
	return c, nil
}

// useOverTime is a series of the CPU time that a process has used.
type useOverTime struct {
	at   []time.Time
	used []time.Duration
}

func (u *useOverTime) add(used time.Duration) {
	u.at, u.used = append(u.at, time.Now()), append(u.used, used)
}

func (u *useOverTime) between(begin, end time.Time) time.Duration {
	return u.until(end) - u.until(begin)
}

// until returns the CPU time used until a moment, interpolated.
func (u *useOverTime) until(t time.Time) time.Duration {
	for i := 1; i < len(u.at); i++ {
		if u.at[i].After(t) {
			part := t.Sub(u.at[i-1]).Seconds() / u.at[i].Sub(u.at[i-1]).Seconds()
			return u.used[i-1] + time.Duration(part*float64(u.used[i]-u.used[i-1]))
		}
	}
	if len(u.used) == 0 {
		return 0
	}
	return u.used[len(u.used)-1]
}
