//go:build linux

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// namespace creates a namespace for a test, with the given PodSecurity level unless that is empty.
func namespace(t *testing.T, level string) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-"}}
	if level != "" {
		ns.Labels = map[string]string{"pod-security.kubernetes.io/enforce": level}
	}
	ns, err := client.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		if !t.Failed() {
			expectNothingLeft(ctx, t, ns.Name)
		}
		client.CoreV1().Pods(ns.Name).DeleteCollection(ctx, atOnce, metav1.ListOptions{})
		client.CoreV1().Namespaces().Delete(ctx, ns.Name, metav1.DeleteOptions{})
	})
	eventually(t, time.Minute, "the default service account", func() (bool, string) {
		_, err := client.CoreV1().ServiceAccounts(ns.Name).Get(t.Context(), "default", metav1.GetOptions{})
		return err == nil, fmt.Sprint(err)
	})
	return ns.Name
}

// atOnce deletes a pod without a grace period.
var atOnce = metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}

func deletePod(t *testing.T, ns, name string) {
	t.Helper()
	if err := client.CoreV1().Pods(ns).Delete(t.Context(), name, atOnce); err != nil {
		t.Fatal(err)
	}
}

func getPod(t *testing.T, ns, name string) *corev1.Pod {
	t.Helper()
	p, err := client.CoreV1().Pods(ns).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// start creates a pod and waits until it is ready.
func start(t *testing.T, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	pod = create(t, pod)
	eventually(t, time.Minute, "pod "+pod.Name+" to be ready", func() (bool, string) {
		p, err := client.CoreV1().Pods(pod.Namespace).Get(t.Context(), pod.Name, metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		pod = p
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
				return true, ""
			}
		}
		return false, fmt.Sprintf("phase %s, containers %+v", p.Status.Phase, p.Status.ContainerStatuses)
	})
	return pod
}

func create(t *testing.T, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	pod, err := client.CoreV1().Pods(pod.Namespace).Create(t.Context(), pod, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return pod
}

// eventually polls until the condition holds. Its failure message has what the condition saw last.
func eventually(t *testing.T, limit time.Duration, what string, condition func() (ok bool, seen string)) {
	t.Helper()
	if ok, seen := poll(limit, condition); !ok {
		t.Fatalf("waited %v for %s; last seen: %s", limit, what, seen)
	}
}

// poll reports whether the condition holds before the limit, and what the condition saw last.
func poll(limit time.Duration, condition func() (ok bool, seen string)) (ok bool, seen string) {
	deadline := time.Now().Add(limit)
	for {
		if ok, seen = condition(); ok || time.Now().After(deadline) {
			return ok, seen
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// run is one run of the plugin.
type run struct {
	stdout, stderr string
	code           int
	took           time.Duration
}

func (r run) String() string {
	return fmt.Sprintf("exit code %d after %v\nstdout: %.2000s\nstderr: %.4000s", r.code, r.took, r.stdout, r.stderr)
}

// plugin runs kubectl pprof with the admin's kubeconfig, or with the one in the arguments.
func plugin(t *testing.T, args ...string) run {
	t.Helper()
	return finish(t, command(t, args...))
}

func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // longer than the plugin waits for anything
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, pluginPath, args...)
	cmd.Dir = t.TempDir()
	cmd.Stdout, cmd.Stderr = new(bytes.Buffer), new(bytes.Buffer)
	return cmd
}

func finish(t *testing.T, cmd *exec.Cmd) run {
	t.Helper()
	begin := time.Now()
	var err error
	if cmd.Process == nil {
		err = cmd.Run()
	} else {
		err = cmd.Wait()
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	r := run{stdout: cmd.Stdout.(*bytes.Buffer).String(), code: cmd.ProcessState.ExitCode(), took: time.Since(begin)}
	if stderr, ok := cmd.Stderr.(*bytes.Buffer); ok {
		r.stderr = stderr.String()
	}
	return r
}

// succeed runs the plugin and fails the test unless it exits with 0.
func succeed(t *testing.T, args ...string) run {
	t.Helper()
	r := plugin(t, args...)
	if r.code != 0 {
		t.Fatalf("kubectl pprof %s: %v", strings.Join(args, " "), r)
	}
	return r
}

// refuse runs the plugin, which must fail, print all of the given texts to stderr, and nothing to stdout.
func refuse(t *testing.T, args []string, texts ...string) run {
	t.Helper()
	r := plugin(t, args...)
	if r.code == 0 {
		t.Fatalf("kubectl pprof %s succeeded, should be refused: %v", strings.Join(args, " "), r)
	}
	expectTexts(t, r, texts...)
	if r.stdout != "" {
		t.Errorf("stdout of a refused run should be empty: %v", r)
	}
	return r
}

// refuseBeforeStart profiles a pod, which must be refused with the texts before anything is created.
func refuseBeforeStart(t *testing.T, ns, pod string, flags []string, texts ...string) {
	t.Helper()
	before := len(getPod(t, ns, pod).Spec.EphemeralContainers)
	r := refuse(t, append([]string{"-n", ns, pod, "-d", "1s"}, flags...), texts...)
	if n := len(getPod(t, ns, pod).Spec.EphemeralContainers); n != before {
		t.Errorf("%d ephemeral containers were added: %v", n-before, r)
	}
	for _, text := range []string{`job "kubectl-pprof-`, "--timeout"} { // in errors of what was created
		if strings.Contains(r.stderr, text) {
			t.Errorf("something was created before the refusal: %v", r)
		}
	}
}

func expectTexts(t *testing.T, r run, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.stderr, text) {
			t.Errorf("stderr lacks %q: %v", text, r)
		}
	}
	if strings.Contains(r.stderr, "goroutine ") || strings.Contains(r.stderr, "panic") {
		t.Errorf("stack trace on stderr: %v", r)
	}
}

// profileOf profiles with the given arguments and returns the profile.
func profileOf(t *testing.T, args ...string) (*profile.Profile, run) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "profile.pb.gz")
	r := succeed(t, append(args, "-o", file)...)
	return readProfile(t, file), r
}

func readProfile(t *testing.T, file string) *profile.Profile {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := profile.Parse(f)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return p
}
