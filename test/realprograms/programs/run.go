package programs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/pprof/profile"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Runner runs programs in a namespace.
type Runner struct {
	Client    kubernetes.Interface
	Namespace string
	Plugin    string // path of kubectl-pprof
	Image     Image
}

// frequency of the samples, in Hz, and duration of a profile, for a thousand samples of a busy thread.
const (
	frequency = 199
	seconds   = 5
)

// Run starts a program, profiles it after its load has begun, and removes its pod.
func (r *Runner) Run(ctx context.Context, p Program) (*Report, error) {
	remove, err := r.start(ctx, p)
	if err != nil {
		return nil, err
	}
	defer remove()
	profile, err := r.profile(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Name, err)
	}
	report := judge(p, profile, r.Image.Root)
	if report.Pictures, err = pictures(p.Name, profile); err != nil {
		return nil, fmt.Errorf("%s: %w", p.Name, err)
	}
	if p.Own != "" {
		if report.Own, err = r.compareOwn(ctx, p); err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	if p.Allocates != "" {
		if report.Own, err = r.memProfileOf(ctx, p); err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	return report, nil
}

// start creates a program's pod and waits until it is ready.
func (r *Runner) start(ctx context.Context, p Program) (remove func(), err error) {
	pods := r.Client.CoreV1().Pods(r.Namespace)
	if _, err := pods.Create(ctx, p.pod(r.Image.Name), metav1.CreateOptions{}); err != nil {
		return nil, err
	}
	remove = func() {
		pods.Delete(context.WithoutCancel(ctx), p.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)})
	}
	if err := r.ready(ctx, p.Name); err != nil {
		remove()
		return nil, err
	}
	return remove, nil
}

// profile runs the plugin.
func (r *Runner) profile(ctx context.Context, p Program) (*profile.Profile, error) {
	dir, err := os.MkdirTemp("", "realprograms-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "profile.pb.gz")
	if err := command(ctx, "", r.Plugin, "--ephemeral", "-n", r.Namespace, p.Name, "-c", ServerContainer,
		"-d", fmt.Sprintf("%ds", seconds), "--frequency", fmt.Sprint(frequency), "-f", "pprof", "-o", file); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return profile.ParseData(data)
}

// pod returns the pod of a server, of the server that it needs, and of its load.
func (p Program) pod(image string) *corev1.Pod {
	// A running load is not visible from outside, so the script creates a file that makes its
	// container ready.
	load := fmt.Sprintf("until %s; do sleep 0.2; done; touch /tmp/ready; while :; do %s || sleep 1; done", p.Ready, p.Load)
	spec := corev1.PodSpec{
		RestartPolicy:                 corev1.RestartPolicyNever,
		TerminationGracePeriodSeconds: new(int64),
	}
	for _, c := range []struct{ name, command, ready string }{
		{ServerContainer, p.Server, ""}, {"beside", p.Beside, ""}, {"load", load, "/tmp/ready"},
	} {
		if c.command == "" || c.name == "load" && p.Load == "" {
			continue
		}
		container := corev1.Container{
			Name: c.name, Image: image, ImagePullPolicy: corev1.PullIfNotPresent, Command: []string{"/bin/sh", "-c", c.command},
		}
		if c.ready != "" {
			container.ReadinessProbe = &corev1.Probe{
				ProbeHandler:  corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"/usr/bin/test", "-e", c.ready}}},
				PeriodSeconds: 1,
			}
		}
		spec.Containers = append(spec.Containers, container)
	}
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: p.Name}, Spec: spec}
}

// ready waits until the pod is ready. Its error has the pod's last status and the end of each
// container's log.
func (r *Runner) ready(ctx context.Context, name string) error {
	pods := r.Client.CoreV1().Pods(r.Namespace)
	for deadline := time.Now().Add(time.Minute); ; {
		pod, err := pods.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		}) {
			return nil
		}
		failed := slices.ContainsFunc(pod.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool { return c.State.Terminated != nil })
		if failed || time.Now().After(deadline) {
			return fmt.Errorf("pod %s is not ready; its containers' logs end with:%s", name, r.logs(ctx, pod))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (r *Runner) logs(ctx context.Context, pod *corev1.Pod) string {
	var all string
	for _, c := range pod.Spec.Containers {
		log, err := r.Client.CoreV1().Pods(r.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{
			Container: c.Name, TailLines: new(int64(10)),
		}).DoRaw(ctx)
		if err != nil {
			log = []byte(err.Error())
		}
		all += fmt.Sprintf("\n%s: %s", c.Name, log)
	}
	return all
}
