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
		"sts/":                 {err: "not a pod's name or TYPE/NAME"},
		"/web":                 {err: "not a pod's name or TYPE/NAME"},
		"pod/a/b":              {err: "not a pod's name or TYPE/NAME"},
		"":                     {err: "not a pod's name or TYPE/NAME"},
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

func runningStatus(name string) corev1.ContainerStatus {
	return corev1.ContainerStatus{
		Name: name, Image: "image-of-" + name, ContainerID: "containerd://id-of-" + name,
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
	}
}

// pod has the running containers app and log, an init container that has done its work, a
// sidecar, and an ephemeral container.
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
			ContainerStatuses:     []corev1.ContainerStatus{runningStatus("app"), runningStatus("log")},
			InitContainerStatuses: []corev1.ContainerStatus{setup, runningStatus("mesh")},
		},
	}
	change(p)
	return p
}

func TestContainerOfAPod(t *testing.T) {
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
		container string // asked for
		want      string
		note      string
		err       string
	}{
		"the first":                         {want: "app", note: `profiling container "app" out of: app, log, setup, mesh`},
		"the annotated":                     {change: annotate("log"), want: "log"},
		"the asked for beats the annotated": {change: annotate("log"), container: "app", want: "app"},
		"an annotation of no container":     {change: annotate("lgo"), want: "app", note: `names no container of pod web-0: "lgo"`},
		"a sidecar":                         {container: "mesh", want: "mesh"},
		"one that is not there":             {container: "ap", err: `pod "web-0" has no container "ap"; choose one of: app, log, setup, mesh`},
		"an ephemeral one":                  {container: "debugger", err: `container "debugger" is an ephemeral container, which cannot be profiled`},
		"an init container that has ended":  {container: "setup", err: `pod "web-0": container "setup" has ended with exit code 0 (Completed)`},
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

// workload is a cluster with a deployment, its pods and a service without a selector.
func workload(pods ...*corev1.Pod) Clients {
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

func member(name string, ready bool) *corev1.Pod {
	return pod(func(p *corev1.Pod) {
		p.Name, p.Labels = name, map[string]string{"app": "web"}
		if ready {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		}
	})
}

func TestPodOfAWorkload(t *testing.T) {
	stranger := member("other-0", true)
	stranger.Labels = nil
	leaving := member("web-5", true)
	leaving.DeletionTimestamp, leaving.Finalizers = &metav1.Time{}, []string{"kept/there"}
	for name, c := range map[string]struct {
		pods      []*corev1.Pod
		typ, name string
		want      string
		note      string
		err       string
	}{
		"the ready one":         {pods: []*corev1.Pod{member("web-1", false), member("web-2", true), stranger}, typ: "deploy", name: "web", want: "web-2"},
		"one of the ready":      {pods: []*corev1.Pod{member("web-1", true), member("web-2", true)}, typ: "deployments", name: "web", want: "web-1", note: `profiling pod web-1, one of 2 ready ones of deployment "web"`},
		"of a service":          {pods: []*corev1.Pod{member("web-1", true)}, typ: "svc", name: "front", want: "web-1"},
		"none ready":            {pods: []*corev1.Pod{member("web-1", false), leaving}, typ: "deploy", name: "web", err: `has no ready pod; name one to profile it all the same: web-`},
		"none at all":           {pods: []*corev1.Pod{stranger}, typ: "deploy", name: "web", err: `deployment "web" in namespace "shop" has no pods`},
		"no such deployment":    {typ: "deploy", name: "wbe", err: `deployment "wbe" not found in namespace "shop"`},
		"no selector":           {typ: "service", name: "outside", err: `service "outside": it has no selector, so no pods: name a pod`},
		"the workload's name":   {pods: []*corev1.Pod{stranger}, name: "web", err: `pod "web" not found in namespace "shop"; did you mean deployment/web?`},
		"a pod replaced since":  {pods: []*corev1.Pod{member("api-5d9c7b4f6-new", true)}, name: "api-5d9c7b4f6-old", err: `did you mean api-5d9c7b4f6-new?`},
		"a slip":                {pods: []*corev1.Pod{stranger}, name: "ohter-0", err: `did you mean other-0?`},
		"nothing like it":       {pods: []*corev1.Pod{stranger}, name: "database", err: "`kubectl get pods -n shop` lists what there is"},
		"in an empty namespace": {name: "database", err: `which has no pods: check -n/--namespace and --context`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Resolve(t.Context(), workload(c.pods...), Query{Namespace: "shop", Type: c.typ, Name: c.name, Container: "app"})
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
	if got := strings.Join(Names(t.Context(), workload().Objects, "shop", "svc"), " "); got != "front outside" {
		t.Errorf("services %q", got)
	}
	if got := Names(t.Context(), workload().Objects, "shop", "nothing"); got != nil {
		t.Errorf("unknown type gives %q", got)
	}
}
