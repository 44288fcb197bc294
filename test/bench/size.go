//go:build linux

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// helpTime is the time that every shell completion and every typing error costs.
func helpTime(ctx context.Context, _ *bench) ([]row, error) {
	var times []float64
	for range 20 {
		cmd := exec.CommandContext(ctx, os.Getenv("PPROF_PLUGIN"), "--help")
		begin := time.Now()
		if _, err := cmd.Output(); err != nil {
			return nil, failed(cmd, err)
		}
		times = append(times, float64(time.Since(begin).Milliseconds()))
	}
	return []row{{Measure: "kubectl-pprof --help, median of 20", Value: median(times), Unit: "ms", Limit: 60}}, nil
}

// imageSize is the number of bytes that a node downloads.
func imageSize(context.Context, *bench) ([]row, error) {
	image, err := tarball.ImageFromPath(filepath.Join("out", "profiler-linux-"+runtime.GOARCH+".tar"), nil)
	if err != nil {
		return nil, err
	}
	layers, err := image.Layers()
	if err != nil {
		return nil, err
	}
	total := int64(0)
	for _, l := range layers {
		size, err := l.Size()
		if err != nil {
			return nil, err
		}
		total += size
	}
	return []row{{Measure: "image, compressed", Value: float64(total) / 1e6, Unit: "MB", Limit: 12}}, nil
}
