package programs

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/pprof/profile"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// KubeletName is the kubelet's name in the report.
const KubeletName = "kubelet"

// Kubelet profiles the kubelet of the test cluster. It is a process of this machine and not in a
// container, so it is moved meanwhile to a cgroup that is named like a container's. The profiler runs
// on the machine too.
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

	k, err := r.findKubelet(ctx)
	if err != nil {
		return nil, err
	}
	own := func(ctx context.Context, query string) (*profile.Profile, error) {
		data, err := k.ask(ctx, "debug/pprof/"+query)
		if err != nil {
			return nil, err
		}
		return profile.ParseData(data)
	}
	s := &subject{own: own, take: func(ctx context.Context, d time.Duration, types ...string) (map[string]*profile.Profile, error) {
		return record(ctx, program, container, d, types)
	}}
	rest := k.load(ctx)
	defer rest()
	inTime, err := s.take(ctx, busyTime, "cpu")
	if err != nil {
		return nil, err
	}
	report := judge(Program{Name: KubeletName, Go: true, Hot: []string{"net/http.(*conn).serve", "github.com/prometheus/client_golang/prometheus.(*Registry).Gather"}}, inTime["cpu"], "")
	if report.Pictures, err = pictures(KubeletName, inTime["cpu"]); err != nil {
		return nil, err
	}
	if report.Own, err = s.compareBusy(ctx); err != nil {
		return nil, err
	}
	rest()
	resting, err := s.compareResting(ctx)
	report.Own = append(report.Own, resting...)
	return report, err
}

// record runs one profiler for each type, all at the same time.
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

// kubelet is a client of the test cluster's kubelet. The API server does not proxy to loopback, on
// which the kubelet listens, so requests go to it directly. It accepts anonymous requests.
type kubelet struct {
	client *http.Client
	url    string
}

func (r *Runner) findKubelet(ctx context.Context) (*kubelet, error) {
	node, err := r.Client.CoreV1().Nodes().Get(ctx, "localhost", metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return &kubelet{
		client: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}, // its certificate is self-signed
		url:    fmt.Sprintf("https://127.0.0.1:%d/", node.Status.DaemonEndpoints.KubeletEndpoint.Port),
	}, nil
}

func (k *kubelet) ask(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := k.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", request.URL, response.Status, answer)
	}
	return answer, err
}

// load requests metrics and pods all the time, until rest is called.
func (k *kubelet) load(ctx context.Context) (rest func()) {
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	for _, path := range []string{"metrics", "pods"} {
		group.Go(func() {
			for ctx.Err() == nil {
				_, _ = k.ask(ctx, path)
			}
		})
	}
	return func() {
		cancel()
		group.Wait()
		k.client.CloseIdleConnections()
	}
}

// kubeletPID returns the PID of the test cluster's kubelet.
func kubeletPID() (int, error) {
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0, err
	}
	var found []int
	for _, path := range paths {
		line, _ := os.ReadFile(path) // the process may have ended
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

// moveToCgroup moves a process to a new cgroup of the given name, on cgroup v1 of one controller only.
// leave moves it back.
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
