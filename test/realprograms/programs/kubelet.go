package programs

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/pprof/profile"
)

// KubeletName is what the report of the kubelet is called.
const KubeletName = "kubelet"

// Kubelet profiles the kubelet of the test cluster, which is a process of this machine and in no container: for this
// time it is moved into a cgroup that has a name as if it were. The profiler runs beside it, on the machine.
func (r *Runner) Kubelet(ctx context.Context) (*Report, error) {
	report, err := r.kubelet(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", KubeletName, err)
	}
	return report, nil
}

func (r *Runner) kubelet(ctx context.Context) (*Report, error) {
	dir, err := os.MkdirTemp("", "realprograms-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "profiler")
	if err := command(ctx, "", "go", "build", "-o", program, "github.com/kubectl-pprof/kubectl-pprof/cmd/profiler"); err != nil {
		return nil, err
	}
	pid, err := kubeletPID()
	if err != nil {
		return nil, err
	}
	id := make([]byte, 32)
	rand.Read(id)
	container := hex.EncodeToString(id)
	leave, err := moveToCgroup(pid, container)
	if err != nil {
		return nil, err
	}
	defer leave()

	s := &subject{own: r.askKubelet, take: func(ctx context.Context, d time.Duration, types ...string) (map[string]*profile.Profile, error) {
		return record(ctx, program, container, d, types)
	}}
	rest := r.loadKubelet(ctx)
	defer rest()
	inTime, err := s.take(ctx, busyTime, "cpu")
	if err != nil {
		return nil, err
	}
	report := judge(Program{Name: KubeletName, Go: true, Hot: []string{"net/http.(*conn).serve", "github.com/google/cadvisor/metrics.(*PrometheusCollector).Collect"}}, inTime["cpu"], "")
	if report.Pictures, err = pictures(KubeletName, inTime["cpu"]); err != nil {
		return nil, err
	}
	if report.Own, err = s.compareBusy(ctx); err != nil {
		return nil, err
	}
	rest()
	c, err := s.compareResting(ctx)
	report.Own = append(report.Own, c)
	return report, err
}

// record runs the profiler once for each type, at the same time.
func record(ctx context.Context, program, container string, d time.Duration, types []string) (map[string]*profile.Profile, error) {
	all := map[string]*profile.Profile{}
	var failed error
	var mu sync.Mutex
	var group sync.WaitGroup
	for _, t := range types {
		group.Go(func() {
			cmd := exec.CommandContext(ctx, program, "record", "--container-id", container, "--type", t, "--duration", d.String(), "--format", "pprof")
			var said bytes.Buffer
			cmd.Stderr = &said
			out, err := cmd.Output()
			var p *profile.Profile
			if err != nil {
				err = fmt.Errorf("%v: %w: %s", cmd.Args, err, &said)
			} else {
				p, err = profile.ParseData(out)
			}
			mu.Lock()
			defer mu.Unlock()
			all[t], failed = p, errors.Join(failed, err)
		})
	}
	group.Wait()
	return all, failed
}

// askKubelet asks through the API server.
func (r *Runner) askKubelet(ctx context.Context, query string) (*profile.Profile, error) {
	name, parameters, _ := strings.Cut(query, "?")
	values, err := url.ParseQuery(parameters)
	if err != nil {
		return nil, err
	}
	request := r.Client.CoreV1().RESTClient().Get().Resource("nodes").Name("localhost").SubResource("proxy").Suffix("debug/pprof/" + name)
	for key := range values {
		request.Param(key, values.Get(key))
	}
	data, err := request.DoRaw(ctx)
	if err != nil {
		return nil, err
	}
	return profile.ParseData(data)
}

// loadKubelet asks it for its metrics all the time, until rest is called.
func (r *Runner) loadKubelet(ctx context.Context) (rest func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_, _ = r.Client.CoreV1().RESTClient().Get().Resource("nodes").Name("localhost").SubResource("proxy").Suffix("metrics/cadvisor").DoRaw(ctx)
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// kubeletPID finds the process of the test cluster.
func kubeletPID() (int, error) {
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0, err
	}
	var found []int
	for _, path := range paths {
		line, _ := os.ReadFile(path) // it may have ended meanwhile
		args := strings.Split(string(line), "\x00")
		if len(args) > 1 && filepath.Base(args[0]) == "controlplane" && args[1] == "kubelet" {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			found = append(found, pid)
		}
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("%d processes of this machine are kubelets of a test cluster, one is needed", len(found))
	}
	return found[0], nil
}

// moveToCgroup moves a process to a new cgroup of that name, of one controller where they have cgroups of their own. leave
// moves it back.
func moveToCgroup(pid int, name string) (leave func(), err error) {
	lines, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return nil, err
	}
	const root = "/sys/fs/cgroup"
	for line := range strings.Lines(string(lines)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3) // hierarchy:controllers:path (cgroups(7))
		if len(parts) < 3 {
			continue
		}
		hierarchy := filepath.Join(root, parts[1])
		if _, err := os.Stat(filepath.Join(hierarchy, "cgroup.procs")); err != nil || parts[1] != "" && parts[1] != "memory" {
			continue
		}
		dir, before := filepath.Join(hierarchy, name), filepath.Join(hierarchy, parts[2], "cgroup.procs")
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, err
		}
		leave = func() {
			_ = os.WriteFile(before, []byte(strconv.Itoa(pid)), 0)
			_ = os.Remove(dir)
		}
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0); err != nil {
			leave()
			return nil, err
		}
		return leave, nil
	}
	return nil, fmt.Errorf("the machine has no cgroups below %s that are known here", root)
}
