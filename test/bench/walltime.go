//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// wallRuns is the number of runs of each mode.
const wallRuns = 9

// wallTime measures how much longer a user waits than the duration of the profile, with the image
// present on the node. Both modes alternate, on the same pod.
func wallTime(ctx context.Context, b *bench) ([]row, error) {
	const asked = time.Second
	var ephemeral, job []float64
	for i := range wallRuns {
		name := fmt.Sprintf("wall-%d", i/3) // change the pod every few runs, because ephemeral containers accumulate
		if i%3 == 0 {
			if _, err := b.start(ctx, name, os.Getenv("PPROF_WORKLOADS_IMAGE"), []string{"/shop", "-pause=5ms"}); err != nil {
				return nil, err
			}
		}
		for mode, times := range map[string]*[]float64{"--ephemeral": &ephemeral, "--job": &job} {
			took, err := b.profile(ctx, mode, name, "-d", asked.String())
			if err != nil {
				return nil, err
			}
			*times = append(*times, (took - asked).Seconds())
		}
		if i%3 == 2 {
			if err := b.remove(ctx, name); err != nil {
				return nil, err
			}
		}
	}
	return []row{
		{Measure: fmt.Sprintf("wall time beyond the duration, ephemeral, median of %d", wallRuns), Value: median(ephemeral), Unit: "s", Limit: 1.5},
		{Measure: fmt.Sprintf("wall time beyond the duration, Job, median of %d", wallRuns), Value: median(job), Unit: "s"},
	}, nil
}
