package launch

import (
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/utils/ptr"
)

func limited(name, cpu string) corev1.Container {
	c := corev1.Container{Name: name}
	if cpu != "" {
		c.Resources.Limits = list("cpu", cpu)
	}
	return c
}

func TestPodLimit(t *testing.T) {
	sidecar := limited("mesh", "30m")
	sidecar.RestartPolicy = ptr.To(corev1.ContainerRestartPolicyAlways)
	for name, c := range map[string]struct {
		containers, initContainers []corev1.Container
		ofPod                      string // the pod's own limit, which KEP-2837 introduced
		limit, without             string
	}{
		"one container":       {[]corev1.Container{limited("app", "20m")}, nil, "", "20m", ""},
		"no limit":            {[]corev1.Container{limited("app", "")}, nil, "", "0", "app"},
		"two containers":      {[]corev1.Container{limited("app", "20m"), limited("log", "30m")}, nil, "", "50m", ""},
		"one without a limit": {[]corev1.Container{limited("app", "20m"), limited("log", "")}, nil, "", "0", "log"},
		"a sidecar": {
			[]corev1.Container{limited("app", "20m")}, []corev1.Container{sidecar}, "", "50m", ""},
		"a large init container": {
			[]corev1.Container{limited("app", "20m")}, []corev1.Container{limited("migrate", "1")}, "", "1", ""},
		"an init container beside a sidecar": {
			[]corev1.Container{limited("app", "20m")}, []corev1.Container{sidecar, limited("migrate", "80m")}, "", "110m", ""},
		"a sidecar after an init container": {
			[]corev1.Container{limited("app", "20m")}, []corev1.Container{limited("migrate", "80m"), sidecar}, "", "80m", ""},
		"an init container without a limit": {
			[]corev1.Container{limited("app", "20m")}, []corev1.Container{limited("migrate", "")}, "", "0", "migrate"},
		"a limit of the pod": {[]corev1.Container{limited("app", "")}, nil, "40m", "40m", ""},
	} {
		t.Run(name, func(t *testing.T) {
			spec := corev1.PodSpec{Containers: c.containers, InitContainers: c.initContainers}
			if c.ofPod != "" {
				spec.Resources = &corev1.ResourceRequirements{Limits: list("cpu", c.ofPod)}
			}
			limit, without := PodLimit(&corev1.Pod{Spec: spec}, corev1.ResourceCPU)
			if limit.String() != c.limit || without != c.without {
				t.Errorf("got %s, %q, want %s, %q", limit.String(), without, c.limit, c.without)
			}
		})
	}
}

// If everything is refused, the advice is for the Job even though it was tried first.
func TestChooseForAPodWithLittleCPUWithoutAWay(t *testing.T) {
	target := web()
	target.Pod.Spec.Containers, target.Pod.Spec.InitContainers = []corev1.Container{limited("app", "20m")}, nil
	client := fake.NewClientset(target.Pod)
	for _, verb := range []string{"create", "patch"} {
		client.PrependReactor(verb, "*", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, statusError(http.StatusUnprocessableEntity, "no")
		})
	}
	_, err := Choose(t.Context(), client, target, Auto, Options{Image: "profiler:1"})
	if err == nil || !strings.Contains(err.Error(), adviceJob) || strings.Contains(err.Error(), adviceEphemeral) {
		t.Errorf("got %v", err)
	}
}

// A pod whose CPU limit leaves no room is profiled through a Job, unless only an ephemeral container
// is possible.
func TestChooseForAPodWithLittleCPU(t *testing.T) {
	const reason = `the CPU limit of pod "web-0", 20m, leaves no room for the profiler: ` +
		"starting it would take 25s or more and slow the pod down"
	for name, c := range map[string]struct {
		cpu     string
		mode    Mode
		refused string // resource that is refused
		want    string // Plan.Fallback
		slow    string // Plan.Slow
		kind    string // of the plan's object; an ephemeral container has none
	}{
		"enough":         {"100m", Auto, "", "", "", ""},
		"too little":     {"20m", Auto, "", "a Job because " + reason, "", "Job"},
		"no Jobs":        {"20m", Auto, "jobs", "an ephemeral container because the Job is refused: no", reason, ""},
		"asked for":      {"20m", Ephemeral, "", "", reason + "; " + adviceEphemeral, ""},
		"asked for Jobs": {"20m", Job, "", "", "", "Job"},
	} {
		t.Run(name, func(t *testing.T) {
			target := web()
			for i := range target.Pod.Spec.Containers {
				target.Pod.Spec.Containers[i].Resources = limited("", c.cpu).Resources
			}
			target.Pod.Spec.Containers, target.Pod.Spec.InitContainers = target.Pod.Spec.Containers[:1], nil
			client := fake.NewClientset(target.Pod)
			client.PrependReactor("create", "*", func(a clienttesting.Action) (bool, runtime.Object, error) {
				if c.refused != "" && a.GetResource().Resource == c.refused {
					return true, nil, statusError(http.StatusUnprocessableEntity, "no")
				}
				return false, nil, nil
			})
			plan, err := Choose(t.Context(), client, target, c.mode, Options{Image: "profiler:1"})
			if err != nil {
				t.Fatal(err)
			}
			kind, _ := plan.Object["kind"].(string)
			if plan.Fallback != c.want || plan.Slow != c.slow || kind != c.kind {
				t.Errorf("got %q, %q, %q, want %q, %q, %q", plan.Fallback, plan.Slow, kind, c.want, c.slow, c.kind)
			}
		})
	}
}
