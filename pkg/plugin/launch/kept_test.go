package launch

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
)

var keepOptions = Options{Image: "profiler:1", Duration: 30 * time.Second, Timeout: time.Minute, Keep: 10 * time.Minute}

// cacheDirectory makes os.UserCacheDir return a directory of the test on every system.
func cacheDirectory(t *testing.T) string {
	dir := t.TempDir()
	for _, variable := range []string{"XDG_CACHE_HOME", "HOME", "LocalAppData"} {
		t.Setenv(variable, dir)
	}
	return dir
}

// withProfiler returns a target whose pod has a running profiler that this machine remembers.
func withProfiler(t *testing.T) (*target.Target, *Profiler) {
	t.Helper()
	web := web()
	web.Pod.UID = "pod-1"
	c := ephemeralContainer("kubectl-pprof-abcde", web, keepOptions, time.Now())
	web.Pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{*c}
	web.Pod.Status.EphemeralContainerStatuses = []corev1.ContainerStatus{{
		Name: c.Name, ContainerID: "containerd://ours", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
	}}
	p := &Profiler{
		Ref:  stream.Ref{Namespace: "shop", Pod: "web-0", Container: c.Name},
		Mode: Ephemeral, kept: newKept(Ephemeral, web, keepOptions, time.Now()),
		client: fake.NewClientset(web.Pod), target: web,
	}
	return web, p
}

// remembered returns what withProfiler does, once this machine has remembered the profiler, and the
// directory for that.
func remembered(t *testing.T) (*target.Target, *Profiler, string) {
	t.Helper()
	cacheDirectory(t)
	web, p := withProfiler(t)
	if err := p.Remember(t.Context()); err != nil {
		t.Fatal(err)
	}
	dir, err := keptDirectory()
	if err != nil {
		t.Fatal(err)
	}
	return web, p, dir
}

func TestKeptProfilerIsReused(t *testing.T) {
	dir := cacheDirectory(t)
	web, p := withProfiler(t)
	if k := findKept(t.Context(), p.client, Ephemeral, "shop", web, keepOptions); k != nil {
		t.Fatalf("found %+v before it was remembered", k)
	}
	if err := p.Remember(t.Context()); err != nil {
		t.Fatal(err)
	}
	k := findKept(t.Context(), p.client, Ephemeral, "shop", web, keepOptions)
	if k == nil || k.ref() != p.Ref {
		t.Fatalf("found %+v", k)
	}
	if err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := d.Info(); err != nil || path != dir && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the permissions %v", path, info.Mode())
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// Only the very container that this machine remembers is reused.
func TestImitatedProfilerIsRefused(t *testing.T) {
	status := func(pod *corev1.Pod) *corev1.ContainerStatus { return &pod.Status.EphemeralContainerStatuses[0] }
	for name, change := range map[string]func(*corev1.Pod){
		"another container of the same name": func(p *corev1.Pod) { status(p).ContainerID = "containerd://theirs" },
		"another container of the same specification": func(p *corev1.Pod) {
			c := p.Spec.EphemeralContainers[0]
			c.Name = "kubectl-pprof-fghij"
			p.Spec.EphemeralContainers = []corev1.EphemeralContainer{c}
			status(p).Name, status(p).ContainerID = c.Name, "containerd://theirs"
		},
		"another pod of the same name": func(p *corev1.Pod) { p.UID = "pod-2" },
		"pod being deleted": func(p *corev1.Pod) {
			p.DeletionTimestamp, p.Finalizers = &metav1.Time{}, []string{"kept/there"}
		},
		"container without ID": func(p *corev1.Pod) { status(p).ContainerID = "" },
		"container has ended": func(p *corev1.Pod) {
			status(p).State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}
		},
		"container is missing": func(p *corev1.Pod) { p.Status.EphemeralContainerStatuses = nil },
	} {
		t.Run(name, func(t *testing.T) {
			web, _, _ := remembered(t)
			change(web.Pod)
			if k := findKept(t.Context(), fake.NewClientset(web.Pod), Ephemeral, "shop", web, keepOptions); k != nil {
				t.Errorf("found %+v", k)
			}
		})
	}
}

// A container that looks like a kept profiler, but that this machine has not created, is not used.
func TestUnknownProfilerIsRefused(t *testing.T) {
	cacheDirectory(t)
	web, p := withProfiler(t)
	web.Pod.Spec.EphemeralContainers[0].Command = []string{"/data/evil"}
	plan, err := Choose(t.Context(), p.client, web, Ephemeral, keepOptions)
	if err != nil || plan.Object == nil {
		t.Errorf("got %+v, %v, want a new container", plan, err)
	}
}

func TestKeptProfilerSuits(t *testing.T) {
	limited := keepOptions
	limited.Capabilities, limited.MemoryOnly = true, true
	other := web()
	other.ContainerID = "f" + containerID[1:]
	with := func(change func(*Options)) Options {
		o := keepOptions
		change(&o)
		return o
	}
	for name, c := range map[string]struct {
		kept   Options
		target *target.Target
		wanted Options
		after  time.Duration
		want   bool
	}{
		"same options":                          {keepOptions, web(), keepOptions, 5 * time.Minute, true},
		"without --keep now":                    {keepOptions, web(), with(func(o *Options) { o.Keep = 0 }), 5 * time.Minute, true},
		"after a restart of the target":         {keepOptions, other, keepOptions, 0, false},
		"deadline too near":                     {keepOptions, web(), keepOptions, 12 * time.Minute, false},
		"after its deadline":                    {keepOptions, web(), keepOptions, time.Hour, false},
		"another image":                         {keepOptions, web(), with(func(o *Options) { o.Image = "profiler:2" }), 0, false},
		"privileged, for memory":                {keepOptions, web(), limited, 0, true},
		"capabilities for BPF, for CPU":         {with(func(o *Options) { o.Capabilities = true }), web(), keepOptions, 0, true},
		"capabilities for memory, for memory":   {limited, web(), limited, 0, true},
		"capabilities for memory only, for CPU": {limited, web(), keepOptions, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKept(Ephemeral, web(), c.kept, noon)
			k.Namespace = "shop"
			if got := k.suits(Ephemeral, "shop", c.target, c.wanted, noon.Add(c.after)); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// Without a directory for it, a profiler cannot be remembered, and nothing else fails.
func TestKeptWithoutHome(t *testing.T) {
	dir := cacheDirectory(t)
	readOnly := filepath.Join(dir, "file")
	if err := os.WriteFile(readOnly, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, home := range []string{"", readOnly} {
		for _, variable := range []string{"XDG_CACHE_HOME", "HOME", "LocalAppData"} {
			t.Setenv(variable, home)
		}
		web, p := withProfiler(t)
		if err := p.Remember(t.Context()); err == nil {
			t.Errorf("home %q: no error", home)
		}
		if k := findKept(t.Context(), p.client, Ephemeral, "shop", web, keepOptions); k != nil {
			t.Errorf("home %q: found %+v", home, k)
		}
	}
}

// In a directory that others may write to, a kept profiler may be theirs.
func TestKeptInASharedDirectory(t *testing.T) {
	web, p, dir := remembered(t)
	if findKept(t.Context(), p.client, Ephemeral, "shop", web, keepOptions) == nil {
		t.Fatal("not found in a private directory")
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if k := findKept(t.Context(), p.client, Ephemeral, "shop", web, keepOptions); k != nil {
		t.Errorf("found %+v", k)
	}
	if err := p.Remember(t.Context()); err == nil {
		t.Error("no error")
	}
}

func TestDamagedKeptFile(t *testing.T) {
	web, p, dir := remembered(t)
	for _, text := range []string{"", "{", "null", "{}", "[]"} {
		if err := os.WriteFile(filepath.Join(dir, keptFile(Ephemeral, "shop", containerID)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if k := findKept(t.Context(), p.client, Ephemeral, "shop", web, keepOptions); k != nil {
			t.Errorf("%q: found %+v", text, k)
		}
	}
}

func TestExpiredKeptFilesAreRemoved(t *testing.T) {
	cacheDirectory(t)
	for id, end := range map[string]time.Time{"old": time.Now().Add(-time.Minute), "../new": time.Now().Add(time.Minute)} {
		if err := writeKept(&keptProfiler{Mode: Ephemeral, TargetID: id, Deadline: end}); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := keptDirectory()
	if err != nil {
		t.Fatal(err)
	}
	removeExpired(dir, time.Now())
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || !slices.Equal(files, []string{filepath.Join(dir, keptFile(Ephemeral, "", "../new"))}) {
		t.Errorf("left: %s, %v", strings.Join(files, " "), err)
	}
}

// A pod that names our Job as its controller is used only if it has the privileges that the Job
// requests.
func TestPodOfTheJob(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*corev1.PodSpec)
		want   bool
	}{
		"as requested":         {func(*corev1.PodSpec) {}, true},
		"image replaced":       {func(s *corev1.PodSpec) { s.Containers[0].Image = "mirror/profiler:1" }, true},
		"sidecar added":        {func(s *corev1.PodSpec) { s.Containers = slices.Insert(s.Containers, 0, corev1.Container{Name: "mesh"}) }, true},
		"own PID namespace":    {func(s *corev1.PodSpec) { s.HostPID = false }, false},
		"another node":         {func(s *corev1.PodSpec) { s.NodeName = "node-2" }, false},
		"unprivileged":         {func(s *corev1.PodSpec) { s.Containers[0].SecurityContext = nil }, false},
		"without the profiler": {func(s *corev1.PodSpec) { s.Containers[0].Name = "evil" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJob(fake.NewClientset(), web(), keepOptions)
			pod := &corev1.Pod{Spec: *j.job.Spec.Template.Spec.DeepCopy()}
			c.change(&pod.Spec)
			if err := j.checkPod(pod); (err == nil) != c.want {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A kept profiler is used by all runs that allow its mode, also if they prefer to start another one.
func TestChooseKeptProfiler(t *testing.T) {
	for _, kept := range []Mode{Ephemeral, Job} {
		for _, mode := range []Mode{Auto, Ephemeral, Job} {
			for _, cpu := range []string{"1", "20m"} { // with 20m, a Job is preferred
				t.Run(fmt.Sprintf("%s for %q with %s", kept, mode, cpu), func(t *testing.T) {
					cacheDirectory(t)
					web, p := withProfiler(t)
					web.Pod.Spec.Containers, web.Pod.Spec.InitContainers = []corev1.Container{limited("app", cpu)}, nil
					if p.kept.Mode = kept; kept == Job {
						p.kept.Job, p.kept.JobUID = "job-1", "uid-1"
					}
					if err := p.Remember(t.Context()); err != nil {
						t.Fatal(err)
					}
					plan, err := Choose(t.Context(), p.client, web, mode, keepOptions)
					if err != nil {
						t.Fatal(err)
					}
					if mode != Auto && mode != kept {
						if plan.Object == nil {
							t.Error("a kept profiler of another mode is used")
						}
						return
					}
					if plan.Object != nil || plan.Fallback != "" || plan.Slow != "" {
						t.Fatalf("got %+v", plan)
					}
					got, err := plan.Launch(t.Context())
					if err != nil || !got.Reused || got.Mode != kept || got.Ref != p.Ref || got.kept.Job != p.kept.Job {
						t.Errorf("got %+v, %v", got, err)
					}
				})
			}
		}
	}
}

// In a pod with a user namespace the kernel refuses BPF to a profiler that was kept for reading memory.
func TestKeptProfilerInAUserNamespace(t *testing.T) {
	web, p, _ := remembered(t)
	web.Pod.Spec.HostUsers = new(bool)
	for _, memoryOnly := range []bool{false, true} {
		o := keepOptions
		o.MemoryOnly = memoryOnly
		if k := findKept(t.Context(), p.client, Ephemeral, "shop", web, o); (k != nil) != memoryOnly {
			t.Errorf("memory only %v: found %+v", memoryOnly, k)
		}
	}
}
