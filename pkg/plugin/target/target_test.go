package target

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"

	appsv1 "k8s.io/api/apps/v1"
)

func TestParseName(t *testing.T) {
	for arg, want := range map[string]struct{ typ, name, err string }{
		"web":                  {"", "web", ""},
		"pod/web":              {"pod", "web", ""},
		"deploy/web":           {"deploy", "web", ""},
		"Deployments.apps/web": {"Deployments.apps", "web", ""},
		"sts/":                 {err: "neither the name of a pod nor TYPE/NAME"},
		"/web":                 {err: "neither the name of a pod nor TYPE/NAME"},
		"pod/a/b":              {err: "neither the name of a pod nor TYPE/NAME"},
		"":                     {err: "neither the name of a pod nor TYPE/NAME"},
		"ingress/web":          {err: `unknown type "ingress"`},
		"deploy.batch/web":     {err: `unknown type "deploy.batch"`},
	} {
		t.Run(arg, func(t *testing.T) {
			typ, name, err := ParseName(arg)
			if typ != want.typ || name != want.name {
				t.Errorf("got %q, %q", typ, name)
			}
			expectError(t, err, want.err)
		})
	}
}

func expectError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("error: %v", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("error %v, want %q in it", err, want)
	}
}

func running(name string) corev1.ContainerStatus {
	return corev1.ContainerStatus{
		Name: name, Image: "image-of-" + name, ContainerID: "containerd://id-of-" + name,
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
	}
}

// pod returns a pod with the running containers app and log, a completed init container, a sidecar and
// an ephemeral container.
func pod(change func(*corev1.Pod)) *corev1.Pod {
	setup := corev1.ContainerStatus{
		Name:  "setup",
		State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed"}},
	}
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-0"},
		Spec: corev1.PodSpec{
			Containers:          []corev1.Container{{Name: "app"}, {Name: "log"}},
			InitContainers:      []corev1.Container{{Name: "setup"}, {Name: "mesh"}},
			EphemeralContainers: []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debugger"}}},
		},
		Status: corev1.PodStatus{
			Phase:                 corev1.PodRunning,
			ContainerStatuses:     []corev1.ContainerStatus{running("app"), running("log")},
			InitContainerStatuses: []corev1.ContainerStatus{setup, running("mesh")},
		},
	}
	change(p)
	return p
}

func TestChooseContainer(t *testing.T) {
	annotate := func(name string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Annotations = map[string]string{"kubectl.kubernetes.io/default-container": name}
		}
	}
	state := func(s corev1.ContainerState) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Status.ContainerStatuses[0].State = s }
	}
	for name, c := range map[string]struct {
		change    func(*corev1.Pod)
		container string // requested
		want      string
		note      string
		err       string
	}{
		"first":                          {want: "app", note: `profiling container "app", one of: app, log, setup, mesh`},
		"annotated":                      {change: annotate("log"), want: "log"},
		"requested instead of annotated": {change: annotate("log"), container: "app", want: "app"},
		"annotation without a container": {change: annotate("lgo"), want: "app", note: `pod web-0 has no container "lgo", which its annotation`},
		"sidecar":                        {container: "mesh", want: "mesh"},
		"no such container":              {container: "ap", err: `pod "web-0" has no container "ap"; choose one of: app, log, setup, mesh`},
		"ephemeral container":            {container: "debugger", err: `container "debugger" is an ephemeral container, which cannot be profiled`},
		"completed init container":       {container: "setup", err: `pod "web-0": container "setup" has ended with exit code 0 (Completed)`},
		"waiting": {
			change: state(corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "Back-off\npulling"}}),
			err:    `pod "web-0": container "app" is waiting (ImagePullBackOff: Back-off pulling): profile it when it runs`,
		},
		"crashing": {
			change: func(p *corev1.Pod) {
				p.Status.ContainerStatuses[0].RestartCount = 7
				state(corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}})(p)
			},
			err: `is waiting (CrashLoopBackOff); restarts: 7: profile it when it runs`,
		},
		"pod completed": {
			change: func(p *corev1.Pod) {
				p.Status.Phase = corev1.PodSucceeded
				state(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}})(p)
			},
			err: `pod "web-0" has completed: there is nothing left to profile`,
		},
		"pod evicted": {
			change: func(p *corev1.Pod) {
				p.Status = corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted", Message: "low on memory"}
			},
			err: `pod "web-0" has failed (Evicted: low on memory): there is nothing left to profile`,
		},
		"pod pending": {
			change: func(p *corev1.Pod) {
				p.Status = corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{{
					Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/3 nodes",
				}}}
			},
			err: `pod "web-0" is Pending (Unschedulable: 0/3 nodes): profile it when it runs`,
		},
		"Windows": {
			change: func(p *corev1.Pod) { p.Spec.OS = &corev1.PodOS{Name: corev1.Windows} },
			err:    `pod "web-0" runs Windows`,
		},
		"Windows by its node selector": {
			change: func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"kubernetes.io/os": "windows"} },
			err:    `pod "web-0" runs Windows`,
		},
		"waiting for an init container": {
			change: func(p *corev1.Pod) {
				p.Status.Phase = corev1.PodPending
				waiting := &corev1.ContainerStateWaiting{Reason: "PodInitializing"}
				p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "app", State: corev1.ContainerState{Waiting: waiting}}}
				p.Status.InitContainerStatuses[0] = running("setup")
			},
			container: "app",
			err: `pod "web-0": container "app" has not started yet (PodInitializing): profile it when it runs; ` +
				"or choose with -c one that runs: setup, mesh",
		},
		"init container of a pending pod": {
			change: func(p *corev1.Pod) {
				p.Status.Phase = corev1.PodPending
				p.Status.InitContainerStatuses[0] = running("setup")
			},
			container: "setup", want: "setup",
		},
	} {
		t.Run(name, func(t *testing.T) {
			change := c.change
			if change == nil {
				change = func(*corev1.Pod) {}
			}
			clients := Clients{Core: fake.NewClientset(pod(change))}
			got, err := Resolve(t.Context(), clients, Query{Namespace: "shop", Name: "web-0", Container: c.container})
			expectError(t, err, c.err)
			if err != nil {
				return
			}
			if got.Container != c.want || got.ContainerID != "id-of-"+c.want || got.Image != "image-of-"+c.want {
				t.Errorf("got container %q, ID %q, image %q", got.Container, got.ContainerID, got.Image)
			}
			if notes := strings.Join(got.Notes, "\n"); c.note != "" && !strings.Contains(notes, c.note) || c.note == "" && notes != "" {
				t.Errorf("notes %q, want %q", notes, c.note)
			}
		})
	}
}

// cluster returns the clients of a cluster with a deployment, pods, and services with and without a
// selector.
func cluster(pods ...*corev1.Pod) Clients {
	deployment := &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
		Spec:       appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}},
	}
	service := &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "outside"},
	}
	selected := service.DeepCopy()
	selected.Name, selected.Spec.Selector = "front", map[string]string{"app": "web"}
	var objects []runtime.Object
	for _, p := range pods {
		objects = append(objects, p)
	}
	return Clients{
		Core:    fake.NewClientset(objects...),
		Objects: dynamicfake.NewSimpleDynamicClient(scheme.Scheme, deployment, service, selected),
	}
}

// webPod returns a pod that the deployment selects.
func webPod(name string, ready bool) *corev1.Pod {
	return pod(func(p *corev1.Pod) {
		p.Name, p.Labels = name, map[string]string{"app": "web"}
		if ready {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		}
	})
}

func TestChoosePod(t *testing.T) {
	other := webPod("other-0", true)
	other.Labels = nil
	deleted := webPod("web-5", true)
	deleted.DeletionTimestamp, deleted.Finalizers = &metav1.Time{}, []string{"kept/there"}
	for name, c := range map[string]struct {
		pods      []*corev1.Pod
		typ, name string
		want      string
		note      string
		err       string
	}{
		"one ready":          {pods: []*corev1.Pod{webPod("web-1", false), webPod("web-2", true), other}, typ: "deploy", name: "web", want: "web-2"},
		"several ready":      {pods: []*corev1.Pod{webPod("web-1", true), webPod("web-2", true)}, typ: "deployments", name: "web", want: "web-1", note: `profiling pod web-1, one of 2 ready pods of deployment "web"`},
		"service":            {pods: []*corev1.Pod{webPod("web-1", true)}, typ: "svc", name: "front", want: "web-1"},
		"none ready":         {pods: []*corev1.Pod{webPod("web-1", false), deleted}, typ: "deploy", name: "web", err: `has no ready pod; name one to profile it anyway: web-`},
		"no pods":            {pods: []*corev1.Pod{other}, typ: "deploy", name: "web", err: `deployment "web" in namespace "shop" has no pods`},
		"no such deployment": {typ: "deploy", name: "wbe", err: `deployment "wbe" not found in namespace "shop"`},
		"no selector":        {typ: "service", name: "outside", err: `service "outside": it has no selector, and so no pods: name a pod instead`},
		"name of a workload": {pods: []*corev1.Pod{other}, name: "web", err: `pod "web" not found in namespace "shop"; did you mean deployment/web?`},
		"replaced pod":       {pods: []*corev1.Pod{webPod("api-5d9c7b4f6-new", true)}, name: "api-5d9c7b4f6-old", err: `did you mean api-5d9c7b4f6-new?`},
		"misspelled":         {pods: []*corev1.Pod{other}, name: "ohter-0", err: `did you mean other-0?`},
		"nothing similar":    {pods: []*corev1.Pod{other}, name: "database", err: "`kubectl get pods -n shop` lists the pods"},
		"empty namespace":    {name: "database", err: `which has no pods: check -n/--namespace and --context`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Resolve(t.Context(), cluster(c.pods...), Query{Namespace: "shop", Type: c.typ, Name: c.name, Container: "app"})
			expectError(t, err, c.err)
			if err != nil {
				return
			}
			if got.Pod.Name != c.want {
				t.Errorf("pod %q, want %q", got.Pod.Name, c.want)
			}
			if notes := strings.Join(got.Notes, "\n"); notes != c.note {
				t.Errorf("notes %q, want %q", notes, c.note)
			}
		})
	}
}

func TestNames(t *testing.T) {
	if got := strings.Join(Names(t.Context(), cluster().Objects, "shop", "svc"), " "); got != "front outside" {
		t.Errorf("services %q", got)
	}
	if got := Names(t.Context(), cluster().Objects, "shop", "nothing"); got != nil {
		t.Errorf("unknown type: got %q", got)
	}
}
