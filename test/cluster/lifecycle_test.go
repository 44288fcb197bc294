//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// podManifest describes a pod with its own network and a mounted token. It results in a mount, a
// network namespace, a link and cgroups that `down` has to find.
const podManifest = `{
  "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one", "namespace": "default"},
  "spec": {
    "terminationGracePeriodSeconds": 0,
    "containers": [{"name": "app", "image": "` + pauseImage + `", "imagePullPolicy": "Never",
                    "resources": {"limits": {"memory": "64Mi"}}}]
  }
}`

// TestLifecycle starts the cluster, kills it, starts it again and stops it. It stops a cluster that
// runs on this machine, so it runs only as part of `make test`.
func TestLifecycle(t *testing.T) {
	if os.Getenv("PPROF_TEST_ALL") == "" {
		t.Skip("left out: starting and stopping the cluster; `make test` does it (root, Linux)")
	}
	if os.Geteuid() != 0 {
		t.Fatal("PPROF_TEST_ALL is set, but only root can start the cluster")
	}
	ctx := t.Context()
	must(t, run(ctx, []string{"down"}))
	before := machineState(t)
	t.Cleanup(func() { down(context.Background()) })

	must(t, run(ctx, []string{"up"}))
	startPod(t)
	during := machineState(t)
	for _, kind := range slices.Sorted(maps.Keys(before)) {
		if added := without(during[kind], before[kind]); len(added) == 0 {
			t.Errorf("a running pod adds no %s, so that nothing left behind would be noticed either", kind)
		}
	}

	must(t, run(ctx, []string{"up"}))
	if now := machineState(t); !slices.Equal(now["process"], during["process"]) {
		t.Errorf("a second `up` changed the processes from\n%q to\n%q", during["process"], now["process"])
	}

	// Kill everything except the containers, as happens when a machine runs out of memory.
	must(t, kill(nodeProcesses()))
	if err := run(ctx, []string{"status"}); err == nil {
		t.Error("status calls a killed cluster up")
	}
	must(t, run(ctx, []string{"up"}))
	startPod(t)

	must(t, run(ctx, []string{"down"}))
	after := machineState(t)
	for kind := range before {
		if left := without(after[kind], before[kind]); len(left) != 0 {
			t.Errorf("left behind, %s: %q", kind, left)
		}
	}
}

// startPod creates the pod and waits until it runs and responds on its network.
func startPod(t *testing.T) {
	t.Helper()
	// The controller manager creates the namespace's service account shortly after its start.
	eventually(t, "the pod is created", func() error {
		_, err := call(t.Context(), http.MethodPost, "/api/v1/namespaces/default/pods", strings.NewReader(podManifest))
		return err
	})
	var ip string
	eventually(t, "the pod runs", func() error {
		body, err := get(t.Context(), "/api/v1/namespaces/default/pods/one")
		if err != nil {
			return err
		}
		var pod struct{ Status struct{ Phase, PodIP string } }
		if err := json.Unmarshal(body, &pod); err != nil {
			return err
		}
		if ip = pod.Status.PodIP; pod.Status.Phase != "Running" || ip == "" {
			return fmt.Errorf("it is %s; events: %q", pod.Status.Phase, events(t))
		}
		return nil
	})
	// Nothing listens on this port: a refused connection shows that the network works, a
	// time-out that it does not.
	conn, err := net.DialTimeout("tcp", ip+":1", 5*time.Second)
	if err == nil {
		conn.Close()
	} else if !strings.Contains(err.Error(), "refused") {
		t.Errorf("the pod's address %s does not answer: %v", ip, err)
	}
}

func events(t *testing.T) []string {
	body, err := get(t.Context(), "/api/v1/namespaces/default/events")
	must(t, err)
	var list struct{ Items []struct{ Message string } }
	must(t, json.Unmarshal(body, &list))
	var messages []string
	for _, e := range list.Items {
		messages = append(messages, e.Message)
	}
	return messages
}

// machineState lists what a cluster adds to a machine, by kind.
func machineState(t *testing.T) map[string][]string {
	t.Helper()
	state := map[string][]string{}
	add := func(kind, what string) { state[kind] = append(state[kind], what) }
	// Other programs start and end meanwhile, so only programs of a cluster are compared.
	for _, pid := range append(nodeProcesses(), containerProcesses()...) {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		add("process", fmt.Sprint(pid, strings.ReplaceAll(string(line), "\x00", " ")))
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	must(t, err)
	for line := range strings.Lines(string(mounts)) {
		add("mount", line)
	}
	links, err := net.Interfaces()
	must(t, err)
	for _, l := range links {
		add("link", l.Name)
	}
	namespaces, err := filepath.Glob("/proc/[0-9]*/ns/net")
	must(t, err)
	for _, path := range namespaces {
		if ns, err := os.Readlink(path); err == nil && !slices.Contains(state["network namespace"], ns) {
			add("network namespace", ns)
		}
	}
	for _, dir := range podCgroups() {
		add("cgroup", dir)
	}
	for _, dir := range []string{stateDir, runDir, "/run/containerd/s", "/run/containerd/runc/k8s.io", "/var/lib/cni/results", "/var/log/containers"} {
		files, _ := filepath.Glob(dir + "/*")
		for _, f := range files {
			add("file", f)
		}
	}
	for _, kind := range []string{"process", "mount", "link", "network namespace", "cgroup", "file"} {
		slices.Sort(state[kind])
		state[kind] = slices.Clip(state[kind]) // every kind is a key
	}
	return state
}

func without(all, known []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(known, s) })
}

func eventually(t *testing.T, what string, condition func() error) {
	t.Helper()
	var last error
	for deadline := time.Now().Add(startLimit); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if last = condition(); last == nil {
			return
		}
	}
	t.Fatalf("%s: not within %v, last: %v", what, startLimit, last)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
