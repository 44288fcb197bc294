package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/requirements"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/version"
)

func defaultImage() string { return version.Image() }

// node judges the target's node; without a target, all nodes, those of a kind together.
func (e *examination) node(ctx context.Context) []Check {
	if e.target == nil {
		return e.nodes(ctx)
	}
	node, err := e.client.CoreV1().Nodes().Get(ctx, e.target.Node(), metav1.GetOptions{})
	if err != nil {
		return []Check{unreadable("node", err)}
	}
	checks := []Check{judgeNode("node", node, e.options.Launch.MemoryOnly)}
	if class := e.target.Pod.Spec.RuntimeClassName; class != nil {
		checks = append(checks, e.sandbox(ctx, *class))
	}
	return checks
}

func unreadable(name string, err error) Check {
	if apierrors.IsForbidden(err) {
		return Check{name, Unknown, "you may not get nodes: what they run cannot be told", ""}
	}
	return Check{name, Unknown, err.Error(), ""}
}

// nodes gives a line for each kind of node.
func (e *examination) nodes(ctx context.Context) []Check {
	list, err := e.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return []Check{unreadable("nodes", err)}
	}
	count := map[Check]int{}
	var kinds []Check
	failed := 0
	for i := range list.Items {
		c := judgeNode("nodes", &list.Items[i], e.options.Launch.MemoryOnly)
		if c.Verdict == Failed {
			failed++
			c.Verdict = Warning // there are others
		}
		if count[c]++; count[c] == 1 {
			kinds = append(kinds, c)
		}
	}
	for i, c := range kinds {
		kinds[i].Detail = fmt.Sprintf("%d with %s", count[c], c.Detail)
		if failed == len(list.Items) {
			kinds[i].Verdict = Failed
		}
	}
	slices.SortFunc(kinds, func(a, b Check) int { return strings.Compare(a.Detail, b.Detail) })
	return kinds
}

// judgeNode tells whether the profiler can work on a node, with BPF unless only memory is to be read.
func judgeNode(name string, node *corev1.Node, memoryOnly bool) Check {
	info := node.Status.NodeInfo
	c := Check{Name: name, Verdict: OK,
		Detail: fmt.Sprintf("%s %s, kernel %s, %s", info.OperatingSystem, info.Architecture, info.KernelVersion, info.ContainerRuntimeVersion)}
	fail := func(why, remedy string) Check {
		c.Verdict, c.Detail, c.Remedy = Failed, c.Detail+": "+why, remedy
		return c
	}
	if kind := virtual(node); kind != "" {
		return fail("a "+kind+" node, which gives no access to its kernel", "run the pod on a node of its own kernel")
	}
	kernel, known := requirements.ParseKernel(info.KernelVersion)
	switch {
	case info.OperatingSystem == "windows":
		return fail("only Linux containers can be profiled", "")
	case info.Architecture != "" && info.Architecture != "amd64" && info.Architecture != "arm64":
		return fail("there are profilers for amd64 and arm64", "")
	case memoryOnly: // any kernel will do
	case known && kernel.Before(requirements.OldestKernel):
		return fail(fmt.Sprintf("%v is the oldest kernel that will do", requirements.OldestKernel),
			"run the pod on a node with a newer kernel, or take a profile that needs no BPF, as --type heap")
	case !known:
		c.Verdict = Unknown
	}
	return c
}

// virtual names the kind of a node that is none; "" if it is one.
func virtual(node *corev1.Node) string {
	switch {
	case node.Labels["eks.amazonaws.com/compute-type"] == "fargate":
		return "Fargate"
	case node.Labels["type"] == "virtual-kubelet", node.Labels["kubernetes.io/role"] == "agent" && strings.HasPrefix(node.Name, "virtual-node-"):
		return "virtual"
	}
	return ""
}

// sandboxes are handlers of runtimes that have a kernel of their own for each pod.
var sandboxes = map[string]string{"runsc": "gVisor", "gvisor": "gVisor", "kata": "Kata", "firecracker": "Firecracker"}

// sandbox judges the pod's runtime class.
func (e *examination) sandbox(ctx context.Context, class string) Check {
	const name = "runtime class"
	handler := class
	if object, err := e.client.NodeV1().RuntimeClasses().Get(ctx, class, metav1.GetOptions{}); err == nil {
		handler = object.Handler
	}
	for part, kind := range sandboxes {
		if strings.Contains(handler, part) || strings.Contains(class, part) {
			return Check{name, Failed, fmt.Sprintf("%q is %s: the node's kernel does not see into it", class, kind), "run the pod without this runtime class"}
		}
	}
	return Check{name, OK, fmt.Sprintf("%q, handler %q", class, handler), ""}
}
