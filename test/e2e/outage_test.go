//go:build linux

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// exitPartial is the documented exit code for a partial profile.
const exitPartial = 3

// during runs the plugin and calls what after five seconds of sampling.
func during(t *testing.T, what func(), args ...string) (r run, file string) {
	t.Helper()
	p := startProfiling(t, 5*time.Second, args...)
	what()
	return p.wait(t), p.file
}

// expectPartial checks a run that could take only a part of a profile.
func expectPartial(t *testing.T, r run, file string, atLeast time.Duration, function string, texts ...string) {
	t.Helper()
	if r.code != exitPartial {
		t.Fatalf("want exit code %d: %v", exitPartial, r)
	}
	expectTexts(t, r, texts...)
	p := readProfile(t, file)
	if d := time.Duration(p.DurationNanos); d < atLeast {
		t.Errorf("the profile is of %v only: %v", d, r)
	}
	expectFunctions(t, p, []string{function}, nil)
	expectComment(t, p, "partial: ", texts...)
}

func expectComment(t *testing.T, p *profile.Profile, prefix string, texts ...string) {
	t.Helper()
	for _, c := range p.Comments {
		if strings.HasPrefix(c, prefix) {
			for _, text := range texts {
				if !strings.Contains(c, text) {
					t.Errorf("the comment %q lacks %q", c, text)
				}
			}
			return
		}
	}
	t.Errorf("no comment %q in %q", prefix, p.Comments)
}

// mainProcess returns the PID, on the node, of a container's first process.
func mainProcess(t *testing.T, pod *corev1.Pod) int {
	t.Helper()
	if !onThisMachine {
		t.Skip("left out: the node is another machine, its processes cannot be killed from here")
	}
	id := containerIDs([]corev1.Pod{*pod})[0]
	shared, first := pod.Spec.ShareProcessNamespace != nil && *pod.Spec.ShareProcessNamespace, 0
	files, _ := filepath.Glob("/proc/[0-9]*/cgroup")
	for _, f := range files {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		text, err := os.ReadFile(f)
		status, _ := os.ReadFile(filepath.Join(filepath.Dir(f), "status"))
		if err != nil || !strings.Contains(string(text), id) {
			continue
		}
		if shared && (first == 0 || pid < first) { // no process of the container is the first of its namespace
			first = pid
		}
		for line := range strings.Lines(string(status)) {
			fields := strings.Fields(line)
			if fields[0] == "NSpid:" && fields[len(fields)-1] == "1" {
				return pid
			}
		}
	}
	if first == 0 {
		t.Fatalf("no first process of container %s on this machine", id)
	}
	return first
}

// When a target crashes, the kernel kills the profiler in its PID namespace too. Its samples are
// not lost.
func TestTargetCrashes(t *testing.T) {
	ns := namespace(t, "")
	pod := start(t, podOf(ns, "web", shop()))
	r, file := during(t, func() { syscall.Kill(mainProcess(t, pod), syscall.SIGKILL) }, "-n", ns, "--ephemeral", "web", "-d", "50s")
	expectPartial(t, r, file, 3*time.Second, "main.priceCart", `container "shop" has ended with exit code 137`, "of 50s")
}

// A Job's profiler keeps running when its target ends.
func TestTargetCrashesInJobMode(t *testing.T) {
	ns := namespace(t, "")
	pod := start(t, podOf(ns, "web", shop()))
	r, file := during(t, func() { syscall.Kill(mainProcess(t, pod), syscall.SIGKILL) }, "-n", ns, "--job", "web", "-d", "10s")
	expectPartial(t, r, file, 9*time.Second, "main.priceCart", `container "shop" has ended with exit code 137`)
}

// In a pod with a shared PID namespace the profiler in an ephemeral container keeps running when
// its target ends.
func TestTargetCrashesInASharedNamespace(t *testing.T) {
	for policy, least := range map[corev1.RestartPolicy]time.Duration{corev1.RestartPolicyAlways: 9 * time.Second, corev1.RestartPolicyNever: 3 * time.Second} {
		t.Run(string(policy), func(t *testing.T) {
			ns := namespace(t, "")
			pod := podOf(ns, "web", shop())
			pod.Spec.ShareProcessNamespace, pod.Spec.RestartPolicy = new(true), policy
			pod = start(t, pod)
			r, file := during(t, func() { syscall.Kill(mainProcess(t, pod), syscall.SIGKILL) }, "-n", ns, "--ephemeral", "web", "-d", "10s")
			expectPartial(t, r, file, least, "main.priceCart", `container "shop" has ended with exit code 137`)
		})
	}
}

func TestTargetOutOfMemory(t *testing.T) {
	ns := namespace(t, "")
	start(t, podOf(ns, "hog", guaranteed(container("hog", "/hog", "-mb=64", "-grow=48"), "500m", "768Mi")))
	file := filepath.Join(t.TempDir(), "profile.pb.gz")
	r := plugin(t, "-n", ns, "--ephemeral", "hog", "-d", "90s", "-o", file)
	expectPartial(t, r, file, time.Second, "main.touchPages", `container "hog" has ended with exit code 137 (OOMKilled)`)
}

func TestPodDeleted(t *testing.T) {
	for _, mode := range []string{"--ephemeral", "--job"} {
		t.Run(mode, func(t *testing.T) {
			ns := namespace(t, "")
			start(t, podOf(ns, "web", shop()))
			r, file := during(t, func() {
				if err := client.CoreV1().Pods(ns).Delete(t.Context(), "web", metav1.DeleteOptions{}); err != nil {
					t.Fatal(err)
				}
			}, "-n", ns, mode, "web", "-d", "10s")
			expectPartial(t, r, file, 3*time.Second, "main.priceCart", `pod "web" `, "deleted")
		})
	}
}

// The Job's pod is evicted while the target keeps running.
func TestJobEvicted(t *testing.T) {
	ns := namespace(t, "")
	start(t, podOf(ns, "web", shop()))
	r, file := during(t, func() {
		pods, err := client.CoreV1().Pods(ns).List(t.Context(), metav1.ListOptions{LabelSelector: ours})
		if err != nil || len(pods.Items) != 1 {
			t.Fatalf("%d pods of the Job, %v", len(pods.Items), err)
		}
		eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: pods.Items[0].Name}}
		if err := client.CoreV1().Pods(ns).EvictV1(t.Context(), eviction); err != nil {
			t.Fatal(err)
		}
	}, "-n", ns, "--job", "web", "-d", "50s")
	expectPartial(t, r, file, 3*time.Second, "main.priceCart", "the profiler")
}

// Components of the control plane restart during a profile. Sampling continues, and the profile is
// complete.
func TestComponentRestarts(t *testing.T) {
	if !onThisMachine {
		t.Skip("left out: the components of another machine's cluster cannot be killed from here")
	}
	for _, component := range []string{"kube-apiserver", "kubelet"} {
		for _, mode := range []string{"--ephemeral", "--job"} {
			t.Run(component+mode, func(t *testing.T) {
				ns := namespace(t, "")
				start(t, podOf(ns, "web", shop()))
				r, file := during(t, func() { restart(t, component) }, "-n", ns, mode, "web", "-d", "15s")
				if r.code != 0 {
					t.Fatal(r)
				}
				p := readProfile(t, file)
				expectFunctions(t, p, []string{"main.priceCart"}, nil)
				if d := time.Duration(p.DurationNanos); d < 15*time.Second || d > time.Minute {
					t.Errorf("the profile is of %v: %v", d, r)
				}
			})
		}
	}
}

// restart kills a component of the test cluster and starts it again with the same arguments and
// environment.
func restart(t *testing.T, component string) {
	t.Helper()
	pidFile := filepath.Join(filepath.Dir(kubeconfig), component+".pid")
	pid, err := strconv.Atoi(strings.TrimSpace(read(t, pidFile)))
	if err != nil {
		t.Fatal(err)
	}
	list := func(name string) []string {
		text := read(t, fmt.Sprintf("/proc/%d/%s", pid, name))
		return strings.Split(strings.TrimSuffix(text, "\x00"), "\x00")
	}
	args, env := list("cmdline"), list("environ")
	log, err := os.OpenFile(fmt.Sprintf("/proc/%d/fd/1", pid), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, component+" to end", func() (bool, string) {
		err := syscall.Kill(pid, 0)
		return err != nil, fmt.Sprint(err)
	})
	again := &exec.Cmd{
		Path: args[0], Args: args, Env: env, Dir: dir, Stdout: log, Stderr: log, SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if err := again.Start(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(pidFile, []byte(strconv.Itoa(again.Process.Pid)), 0o644); err != nil {
		t.Fatal(err)
	}
	go again.Wait() // reap it when it is killed again
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Profiles on one node do not disturb each other, and none leaves anything behind.
func TestManyAtOnce(t *testing.T) {
	expectKernelClean(t)
	ns := namespace(t, "")
	start(t, podOf(ns, "web", shop()))
	const many = 20
	errs := make(chan error, many)
	for i := range many {
		go func() { errs <- profileWeb(t.Context(), t.TempDir(), ns, []string{"--ephemeral", "--job"}[i%2], "5s") }()
	}
	for range many {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestManyOneAfterAnother(t *testing.T) {
	expectKernelClean(t)
	ns := namespace(t, "")
	start(t, podOf(ns, "web", shop()))
	for range 50 {
		if err := profileWeb(t.Context(), t.TempDir(), ns, "--ephemeral", "1s"); err != nil {
			t.Fatal(err)
		}
	}
}

// profileWeb takes a profile of the shop and checks it.
func profileWeb(ctx context.Context, dir, ns, mode, duration string) error {
	file := filepath.Join(dir, "profile.pb.gz")
	cmd := exec.CommandContext(ctx, pluginPath, "-n", ns, mode, "web", "-d", duration, "-o", file)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		return fmt.Errorf("want one file: %v, %w", files, err)
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	p, err := profile.Parse(f)
	if err != nil {
		return err
	}
	for _, fn := range p.Function {
		if fn.Name == "main.priceCart" {
			return nil
		}
	}
	return fmt.Errorf("no sample in main.priceCart among %d", len(p.Sample))
}

// A few capabilities suffice instead of a privileged container, also to name the kernel's functions.
func TestCapabilities(t *testing.T) {
	for _, mode := range []string{"--ephemeral", "--job"} {
		t.Run(mode, func(t *testing.T) {
			ns := namespace(t, "")
			start(t, podOf(ns, "web", restricted(shop())))
			p, r := profileOf(t, mode, "--capabilities", "-n", ns, "web", "-d", "5s")
			expectFunctions(t, p, []string{"main.priceCart", "net/http.(*conn).serve"}, nil)
			expectComment(t, p, "lost samples: 0")
			named := 0
			for _, l := range p.Location {
				if l.Mapping != nil && strings.Contains(l.Mapping.File, "kernel") && !strings.HasPrefix(l.Line[0].Function.Name, "[") {
					named++
				}
			}
			if named == 0 {
				t.Errorf("no function of the kernel has a name: %v", r)
			}
		})
	}
}

// If the pod has too little memory left, the profiler refuses to start, so that nothing is killed.
func TestTooLittleMemoryForTheProfiler(t *testing.T) {
	ns := namespace(t, "")
	start(t, podOf(ns, "hog", guaranteed(container("hog", "/hog", "-mb=150"), "500m", "170Mi")))
	refuse(t, []string{"--ephemeral", "-n", ns, "hog", "-d", "1s"}, "MiB of memory left", "--job")
	succeed(t, "--job", "-n", ns, "hog", "-d", "1s")
}
