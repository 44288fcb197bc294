package doctor

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/launch"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
)

func TestCheckNode(t *testing.T) {
	good := corev1.NodeSystemInfo{OperatingSystem: "linux", Architecture: "arm64", KernelVersion: "5.10.0-33-arm64", ContainerRuntimeVersion: "containerd://2.1.0"}
	with := func(change func(*corev1.NodeSystemInfo)) corev1.NodeSystemInfo {
		info := good
		change(&info)
		return info
	}
	for name, tc := range map[string]struct {
		info   corev1.NodeSystemInfo
		labels map[string]string
		want   Verdict
		detail string // part of it
	}{
		"oldest supported kernel":  {good, nil, OK, "linux arm64, kernel 5.10.0-33-arm64, containerd://2.1.0"},
		"kernel too old":           {with(func(i *corev1.NodeSystemInfo) { i.KernelVersion = "5.4.0-200-generic" }), nil, Failed, "5.10"},
		"old major version":        {with(func(i *corev1.NodeSystemInfo) { i.KernelVersion = "4.18.0-553.el8.x86_64" }), nil, Failed, "5.10"},
		"newer kernel":             {with(func(i *corev1.NodeSystemInfo) { i.KernelVersion = "6.8.0+" }), nil, OK, ""},
		"kernel that can freeze":   {with(func(i *corev1.NodeSystemInfo) { i.KernelVersion = "6.1.25-37.47.amzn2023.x86_64" }), nil, Warning, "can freeze"},
		"fix not in the release":   {with(func(i *corev1.NodeSystemInfo) { i.KernelVersion = "6.1.0-13-amd64" }), nil, OK, "copy_from_user_nofault"},
		"unknown kernel version":   {with(func(i *corev1.NodeSystemInfo) { i.KernelVersion = "rolling" }), nil, Unknown, "rolling"},
		"Windows":                  {with(func(i *corev1.NodeSystemInfo) { i.OperatingSystem = "windows" }), nil, Failed, "only Linux"},
		"unsupported architecture": {with(func(i *corev1.NodeSystemInfo) { i.Architecture = "riscv64" }), nil, Failed, "amd64 and arm64"},
		"Fargate":                  {good, map[string]string{"eks.amazonaws.com/compute-type": "fargate"}, Failed, "Fargate"},
		"virtual kubelet":          {good, map[string]string{"type": "virtual-kubelet"}, Failed, "virtual"},
	} {
		t.Run(name, func(t *testing.T) {
			c := checkNode("node", &corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: tc.labels}, Status: corev1.NodeStatus{NodeInfo: tc.info}}, false)
			if c.Verdict != tc.want || !strings.Contains(c.Detail+": "+c.Remedy, tc.detail) {
				t.Errorf("got %+v, want %s and %q", c, tc.want, tc.detail)
			}
			// Reading memory needs no minimal kernel version, but a kernel that the target runs on.
			c = checkNode("node", &corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: tc.labels}, Status: corev1.NodeStatus{NodeInfo: tc.info}}, true)
			if tc.detail != "5.10" && tc.want == Failed && c.Verdict != Failed || tc.detail == "5.10" && c.Verdict != OK || tc.want == Warning && c.Verdict != OK {
				t.Errorf("for memory only: %+v", c)
			}
		})
	}
}

func TestNodeThatIsGone(t *testing.T) {
	e := &examination{client: fake.NewClientset(), target: &target.Target{Pod: &corev1.Pod{Spec: corev1.PodSpec{NodeName: "node-1"}}}}
	if c := e.node(t.Context()); len(c) != 1 || c[0].Verdict != Failed || !strings.Contains(c[0].Detail, `node "node-1" does not exist any more`) {
		t.Errorf("got %+v", c)
	}
}

// Nodes of a kind are counted, also if their conditions are of different times.
func TestNodesOfAKind(t *testing.T) {
	var nodes []runtime.Object
	for i, status := range []corev1.ConditionStatus{corev1.ConditionUnknown, corev1.ConditionTrue, corev1.ConditionUnknown} {
		nodes = append(nodes, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("node-%d", i)}, Status: corev1.NodeStatus{
			NodeInfo: corev1.NodeSystemInfo{OperatingSystem: "linux", KernelVersion: "6.12.1"},
			Conditions: []corev1.NodeCondition{{
				Type: corev1.NodeReady, Status: status, Reason: "Lost", LastTransitionTime: metav1.Unix(int64(i+1)*1000, 0),
			}},
		}})
	}
	e := &examination{client: fake.NewClientset(nodes...)}
	c := e.nodes(t.Context())
	if len(c) != 2 || c[0].Verdict != OK || c[1].Verdict != Warning || !strings.HasPrefix(c[1].Detail, "2 with linux") {
		t.Fatalf("got %+v", c)
	}
	if !strings.Contains(c[1].Remedy, "kubectl describe node node-0") {
		t.Errorf("got %q", c[1].Remedy)
	}
}

// Only the check of the CPU limit reports that it is too low. The check of admission is still ok.
func TestAdmissionOfAPodWithLittleCPU(t *testing.T) {
	pod := podWithCPU("20m")
	pod.Name, pod.Namespace = "web", "shop"
	e := &examination{client: fake.NewClientset(pod), target: &target.Target{Pod: pod, Container: "app"}}
	want := Check{"admission: ephemeral container", OK, "a dry run was admitted", ""}
	if c := e.dryRun(t.Context(), e.target, launch.Ephemeral); c != want {
		t.Errorf("got %+v, want %+v", c, want)
	}
}

func podWithCPU(limit string) *corev1.Pod {
	return &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{
		Name: "app", Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(limit)}},
	}}}}
}

func TestCPU(t *testing.T) {
	for limit, want := range map[string]Verdict{"20m": Warning, "100m": OK, "0": OK} {
		e := &examination{target: &target.Target{Pod: podWithCPU(limit)}}
		if c := e.cpu(t.Context()); len(c) != 1 || c[0].Verdict != want {
			t.Errorf("limit %s: got %+v, want %s", limit, c, want)
		}
	}
}

var sample = []Check{
	{"API server", OK, "https://api:6443 runs Kubernetes v1.35.4", ""},
	{"transfer: exec", Warning, "you may not create pods/exec", "ask for the permission"},
	{"memory", Unknown, "metrics API: not found", ""},
}

func TestWorst(t *testing.T) {
	if got := Worst(sample); got != Warning {
		t.Errorf("got %s", got)
	}
	if got := Worst(append(sample, Check{Verdict: Failed})); got != Failed {
		t.Errorf("got %s", got)
	}
	if got := Worst(sample[:1]); got != OK {
		t.Errorf("got %s", got)
	}
}

func TestPrint(t *testing.T) {
	var table, object bytes.Buffer
	if err := Print(&table, sample); err != nil {
		t.Fatal(err)
	}
	const want = `VERDICT  CHECK           DETAIL
ok       API server      https://api:6443 runs Kubernetes v1.35.4
warning  transfer: exec  you may not create pods/exec
                         → ask for the permission
unknown  memory          metrics API: not found
`
	if table.String() != want {
		t.Errorf("got\n%swant\n%s", &table, want)
	}
	if err := PrintJSON(&object, sample[1:2]); err != nil {
		t.Fatal(err)
	}
	const wantJSON = `{
  "verdict": "warning",
  "checks": [
    {
      "check": "transfer: exec",
      "verdict": "warning",
      "detail": "you may not create pods/exec",
      "remedy": "ask for the permission"
    }
  ]
}
`
	if object.String() != wantJSON {
		t.Errorf("got\n%s", &object)
	}
}
