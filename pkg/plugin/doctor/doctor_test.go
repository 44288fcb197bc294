package doctor

import (
	"bytes"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
		"unknown kernel version":   {with(func(i *corev1.NodeSystemInfo) { i.KernelVersion = "rolling" }), nil, Unknown, "rolling"},
		"Windows":                  {with(func(i *corev1.NodeSystemInfo) { i.OperatingSystem = "windows" }), nil, Failed, "only Linux"},
		"unsupported architecture": {with(func(i *corev1.NodeSystemInfo) { i.Architecture = "riscv64" }), nil, Failed, "amd64 and arm64"},
		"Fargate":                  {good, map[string]string{"eks.amazonaws.com/compute-type": "fargate"}, Failed, "Fargate"},
		"virtual kubelet":          {good, map[string]string{"type": "virtual-kubelet"}, Failed, "virtual"},
	} {
		t.Run(name, func(t *testing.T) {
			c := checkNode("node", &corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: tc.labels}, Status: corev1.NodeStatus{NodeInfo: tc.info}}, false)
			if c.Verdict != tc.want || !strings.Contains(c.Detail, tc.detail) {
				t.Errorf("got %+v, want %s and %q", c, tc.want, tc.detail)
			}
			// Reading memory needs no minimal kernel version, but a kernel that the target runs on.
			c = checkNode("node", &corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: tc.labels}, Status: corev1.NodeStatus{NodeInfo: tc.info}}, true)
			if tc.detail != "5.10" && tc.want == Failed && c.Verdict != Failed || tc.detail == "5.10" && c.Verdict != OK {
				t.Errorf("for memory only: %+v", c)
			}
		})
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
