//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const etcdImage = "kubectl-pprof/etcd:test"

// etcdMemory profiles a program of 130 MB, the test cluster's control plane running as a busy etcd,
// and reads the profiler's peak memory from the node. It needs the test cluster of this machine.
func etcdMemory(ctx context.Context, b *bench) ([]row, error) {
	if err := needNode(); err != nil {
		return nil, err
	}
	program, err := loadEtcd(ctx)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(program)
	if err != nil {
		return nil, err
	}
	pod, err := b.start(ctx, "etcd", etcdImage, []string{"/controlplane", "etcd", "--data-dir=/tmp/etcd", "--unsafe-no-fsync"}, []string{"/etcdload"})
	if err != nil {
		return nil, err
	}
	_, id, _ := strings.Cut(pod.Status.ContainerStatuses[0].ContainerID, "://")
	cmd := b.plugin(ctx, "--ephemeral", "etcd", "-c", "c0", "-d", "10s", "--keep", "5s")
	done := make(chan error, 1)
	go func() {
		_, err := cmd.Output()
		done <- err
	}()
	peak := 0.0
	look := func() {
		if pid, ok := profilerOf(id); ok {
			p, _ := peakMemory(pid)
			peak = max(peak, p)
		}
	}
	for {
		look()
		select {
		case err := <-done:
			if err != nil {
				return nil, failed(cmd, err)
			}
			look()
			if peak == 0 {
				return nil, errors.New("the profiler's process was not found on this machine")
			}
			measure := fmt.Sprintf("profiler's peak memory, target binary of %d MB", info.Size()/1e6)
			return []row{{Measure: measure, Value: peak, Unit: "MB", Limit: 80}}, b.remove(ctx, "etcd")
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// loadEtcd packs the control plane and the load generator into an image and loads it.
func loadEtcd(ctx context.Context) (program string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	found, _ := filepath.Glob(filepath.Join(cache, "kubectl-pprof-cluster", "*", "controlplane"))
	if len(found) == 0 {
		return "", errors.New("no control-plane program in the cache: start the test cluster first")
	}
	image, err := filepath.Abs(filepath.Join("out", "etcd.tar"))
	if err != nil {
		return "", err
	}
	for _, c := range []struct {
		dir  string
		args []string
	}{
		{".", []string{"run", "./test/workloads/pack", "-tag", etcdImage, "-o", image, found[0], "out/workloads/etcdload"}},
		{"test/cluster", []string{"run", ".", "load", image}},
	} {
		cmd := exec.CommandContext(ctx, "go", c.args...)
		cmd.Dir = c.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%v: %w\n%s", cmd.Args, err, out)
		}
	}
	return found[0], nil
}
