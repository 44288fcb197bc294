//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/symbol"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/test/accuracy/compare"
)

// Our samples per second. They are primes, so that samples do not keep step with a periodic timer.
const (
	goFrequency     = 499
	nativeFrequency = 997
)

// profileGo profiles a Go program while it profiles itself.
func profileGo(ctx context.Context, path string, args []string, d time.Duration) (ours, reference *profile.Profile, err error) {
	written := path + ".pb.gz"
	cmd := exec.CommandContext(ctx, path, append(args, "-cpuprofile="+written, "-duration="+d.String())...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	t, err := start(cmd)
	if err != nil {
		return nil, nil, err
	}
	defer t.stop()
	time.Sleep(500 * time.Millisecond) // past its own start
	ours, err = t.profile(ctx, goFrequency, d, func() error {
		_, err := io.WriteString(stdin, "\n")
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Wait(); err != nil {
		return nil, nil, fmt.Errorf("%w: %s", err, t.stderr.String())
	}
	f, err := os.Open(written)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	reference, err = profile.Parse(f)
	return ours, reference, err
}

// profileNative profiles a program while perf profiles it too.
func profileNative(ctx context.Context, path string, d time.Duration) (*profile.Profile, []compare.Stack, error) {
	t, err := start(exec.CommandContext(ctx, path))
	if err != nil {
		return nil, nil, err
	}
	defer t.stop()
	time.Sleep(500 * time.Millisecond)
	data := path + ".perf"
	var stderr bytes.Buffer
	perf := exec.CommandContext(ctx, "perf", "record", "-q", "-o", data, "-e", "cpu-clock", "-F", fmt.Sprint(nativeFrequency),
		"--call-graph", "dwarf,8192", "-p", fmt.Sprint(t.cmd.Process.Pid), "--", "sleep", fmt.Sprint(d.Seconds()))
	perf.Stderr = &stderr
	ours, err := t.profile(ctx, nativeFrequency, d, perf.Start)
	if err != nil {
		return nil, nil, err
	}
	if err := perf.Wait(); err != nil {
		return nil, nil, fmt.Errorf("perf record (Debian has it in linux-perf): %w: %s", err, &stderr)
	}
	t.stop()
	defer os.Remove(data)
	reference, err := readPerf(ctx, data, path)
	return ours, reference, err
}

// target is a running program in a cgroup that is named like a container's.
type target struct {
	cmd    *exec.Cmd
	id     string
	cgroup string
	stderr bytes.Buffer
}

func start(cmd *exec.Cmd) (*target, error) {
	t := &target{cmd: cmd, id: fmt.Sprintf("%064x", time.Now().UnixNano())}
	root := "/sys/fs/cgroup/memory" // cgroup v1
	if _, err := os.Stat(root); err != nil {
		root = "/sys/fs/cgroup"
	}
	t.cgroup = filepath.Join(root, t.id)
	if err := os.Mkdir(t.cgroup, 0o755); err != nil {
		return nil, err
	}
	cmd.Stderr = &t.stderr
	if err := cmd.Start(); err != nil {
		os.Remove(t.cgroup)
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(t.cgroup, "cgroup.procs"), fmt.Append(nil, cmd.Process.Pid), 0); err != nil {
		t.stop()
		return nil, err
	}
	return t, nil
}

// profile starts the reference with begin and then samples for the given duration.
func (t *target) profile(ctx context.Context, hz int, d time.Duration, begin func() error) (*profile.Profile, error) {
	c, err := capture.New(api.CPU, capture.Options{ContainerID: t.id, Frequency: hz})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := begin(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	r, err := c.Run(ctx)
	if err != nil {
		return nil, err
	}
	return r.Profile, symbol.Symbolize(r.Profile, r.File, r.PerfMap)
}

// stop kills the program, if it still runs, and removes its cgroup.
func (t *target) stop() {
	if t.cgroup == "" {
		return
	}
	t.cmd.Process.Signal(syscall.SIGKILL)
	t.cmd.Wait()
	for range 100 {
		if os.Remove(t.cgroup) == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.cgroup = ""
}
