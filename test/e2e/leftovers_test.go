//go:build linux

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const ours = "app=kubectl-pprof"

// expectNothingLeft checks that no Job, pod or running profiler of ours is left soon. It is patient because the machine may
// be busy.
func expectNothingLeft(ctx context.Context, t *testing.T, ns string) {
	t.Helper()
	if ok, left := poll(time.Minute, func() (bool, string) { return nothingLeft(ctx, ns, "") }); !ok {
		t.Errorf("left behind: %s", left)
	}
}

// waitUntilGone waits until no leftover whose description has the prefix is left.
func waitUntilGone(t *testing.T, ns string, limit time.Duration, prefix, what string) {
	t.Helper()
	eventually(t, limit, what, func() (bool, string) { return nothingLeft(t.Context(), ns, prefix) })
}

func nothingLeft(ctx context.Context, ns, prefix string) (ok bool, left string) {
	all := leftovers(ctx, ns)
	ok = !slices.ContainsFunc(all, func(l string) bool { return strings.HasPrefix(l, prefix) })
	return ok, strings.Join(all, "; ")
}

// leftovers describes the Jobs, pods and running profilers of ours in a namespace. If they cannot be
// listed, it returns the error's text.
func leftovers(ctx context.Context, ns string) []string {
	var left []string
	jobs, err := client.BatchV1().Jobs(ns).List(ctx, metav1.ListOptions{LabelSelector: ours})
	if err != nil {
		return []string{err.Error()}
	}
	for _, j := range jobs.Items {
		left = append(left, "job "+j.Name)
	}
	pods, err := client.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{})
	if err != nil {
		return []string{err.Error()}
	}
	for _, p := range pods.Items {
		if p.Labels["app"] == "kubectl-pprof" {
			left = append(left, "pod "+p.Name)
		}
		left = append(left, runningProfilers(&p)...)
	}
	if onThisMachine {
		left = append(left, profilerProcesses(containerIDs(pods.Items))...)
	}
	return left
}

func runningProfilers(p *corev1.Pod) []string {
	var running []string
	for _, c := range p.Status.EphemeralContainerStatuses {
		if c.State.Running != nil {
			running = append(running, fmt.Sprintf("ephemeral container %s of pod %s", c.Name, p.Name))
		}
	}
	return running
}

func containerIDs(pods []corev1.Pod) []string {
	var ids []string
	for _, p := range pods {
		for _, c := range slices.Concat(p.Status.ContainerStatuses, p.Status.InitContainerStatuses) {
			if _, id, ok := strings.Cut(c.ContainerID, "://"); ok {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// profilerProcesses lists the processes of the node that profile one of the given containers.
func profilerProcesses(containers []string) []string {
	var found []string
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		line, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		args := strings.Split(string(line), "\x00")
		serves := slices.ContainsFunc(containers, func(id string) bool { return strings.Contains(string(line), id) })
		if filepath.Base(args[0]) == "profiler" && serves {
			found = append(found, fmt.Sprintf("process %s: %s", filepath.Base(filepath.Dir(f)), strings.Join(args, " ")))
		}
	}
	return found
}
