//go:build linux

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// rotatesLogs makes the node's kubelet rotate logs of more than 32 KiB, which is less than a
// profile, during the test.
func rotatesLogs(t *testing.T) {
	t.Helper()
	if !onThisMachine {
		t.Skip("left out: another machine's kubelet cannot be told to rotate logs")
	}
	file := filepath.Join(filepath.Dir(kubeconfig), "kubelet.yaml")
	before := read(t, file)
	set := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		restart(t, "kubelet")
		waitForNode(t)
	}
	t.Cleanup(func() { set(before) })
	set(before + "containerLogMaxSize: 32Ki\ncontainerLogMaxFiles: 2\ncontainerLogMonitorInterval: 3s\n")
}

// waitForNode waits until a restarted kubelet has reported.
func waitForNode(t *testing.T) {
	t.Helper()
	begin := time.Now()
	eventually(t, time.Minute, "the node to be ready", func() (bool, string) {
		nodes, err := client.CoreV1().Nodes().List(context.Background(), metav1.ListOptions{})
		if err != nil || len(nodes.Items) != 1 {
			return false, "no node"
		}
		for _, c := range nodes.Items[0].Status.Conditions {
			if c.Type == corev1.NodeReady {
				return c.Status == corev1.ConditionTrue && c.LastHeartbeatTime.After(begin.Add(-time.Second)), c.String()
			}
		}
		return false, "no condition"
	})
}

// A node that rotates the profiler's log may delete a part of it. The profile is complete
// nevertheless, or marked as partial.
func TestLogRotated(t *testing.T) {
	rotatesLogs(t)
	ns := namespace(t, "")
	startMaze(t, ns)
	file := filepath.Join(t.TempDir(), "profile.pb.gz")
	r := plugin(t, "-v", "-n", ns, "--ephemeral", "--transfer", "logs", "web", "-d", "15s", "--frequency", "999", "-o", file)
	rotated, err := filepath.Glob(filepath.Join(filepath.Dir(kubeconfig), "pod-logs", ns+"_web_*", "kubectl-pprof-*", "0.log.*"))
	if err != nil || len(rotated) == 0 {
		t.Fatalf("the profiler's log was not rotated, %v: %v", err, r)
	}
	switch r.code {
	case 0:
		expectWhole(t, readProfile(t, file))
	case exitPartial:
		expectPartial(t, r, file, 3*time.Second, "main.walk")
	default:
		t.Fatal(r)
	}
}
