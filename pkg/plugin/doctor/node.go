package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/launch"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/requirements"
)

// node checks the target's node and runtime class. Without a target it checks all nodes.
func (e *examination) node(ctx context.Context) []Check {
	if e.target == nil {
		return e.nodes(ctx)
	}
	node, err := e.client.CoreV1().Nodes().Get(ctx, e.target.Node(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		gone := fmt.Sprintf("node %q does not exist any more", e.target.Node())
		return []Check{{"node", Failed, gone, "profile a pod on another node"}}
	}
	if err != nil {
		return []Check{unknownNode("node", err)}
	}
	checks := []Check{checkNode("node", node, e.options.Launch.MemoryOnly)}
	if class := e.target.Pod.Spec.RuntimeClassName; class != nil {
		checks = append(checks, e.runtimeClass(ctx, *class))
	}
	return checks
}

func unknownNode(name string, err error) Check {
	if apierrors.IsForbidden(err) {
		return Check{name, Unknown, "you may not get nodes, so their kernels and architectures are unknown", ""}
	}
	return Check{name, Unknown, err.Error(), ""}
}

// nodes returns one check for each kind of node, with the number of nodes of that kind. The remedy is
// that for the first of them.
func (e *examination) nodes(ctx context.Context) []Check {
	list, err := e.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return []Check{unknownNode("nodes", err)}
	}
	count := map[string]int{} // by detail
	var kinds []Check
	failed := 0
	for i := range list.Items {
		c := checkNode("nodes", &list.Items[i], e.options.Launch.MemoryOnly)
		if c.Verdict == Failed {
			failed++
			c.Verdict = Warning // pods on other nodes can be profiled
		}
		if count[c.Detail]++; count[c.Detail] == 1 {
			kinds = append(kinds, c)
		}
	}
	for i, c := range kinds {
		kinds[i].Detail = fmt.Sprintf("%d with %s", count[c.Detail], c.Detail)
		if failed == len(list.Items) {
			kinds[i].Verdict = Failed
		}
	}
	slices.SortFunc(kinds, func(a, b Check) int { return strings.Compare(a.Detail, b.Detail) })
	return kinds
}

// checkNode checks whether the profiler can run on a node. With memoryOnly it needs no BPF, so every
// kernel suffices.
func checkNode(name string, node *corev1.Node, memoryOnly bool) Check {
	info := node.Status.NodeInfo
	c := Check{Name: name, Verdict: OK,
		Detail: fmt.Sprintf("%s %s, kernel %s, %s", info.OperatingSystem, info.Architecture, info.KernelVersion, info.ContainerRuntimeVersion)}
	fail := func(why, remedy string) Check {
		c.Verdict, c.Detail, c.Remedy = Failed, c.Detail+": "+why, remedy
		return c
	}
	if reason, remedy := launch.NodeProblem(node); reason != "" {
		return fail("it "+reason, remedy)
	}
	kernel, known := requirements.ParseKernel(info.KernelVersion)
	switch {
	case memoryOnly:
	case known && kernel.Before(requirements.OldestKernel):
		return fail(fmt.Sprintf("the profiler needs Linux %v or later", requirements.OldestKernel),
			"run the pod on a node with a newer kernel, or take a profile that needs no BPF, such as --type heap")
	case !known:
		c.Verdict = Unknown
	}
	if memoryOnly {
		return c
	}
	switch requirements.UserReadsOf(info.KernelVersion) {
	case requirements.UserReadsUnsafe:
		c.Verdict = Warning
		c.Detail += ": Linux 5.18 to 6.3 can freeze when BPF programs read user memory; the profiler refuses it unless it finds the kernel fixed"
		c.Remedy = "update the node's kernel to 6.1.36 or later of 6.1, or to 6.4 or later, or take a profile that needs no BPF, such as --type heap"
	case requirements.UserReadsUnknown:
		c.Detail += "; the profiler checks that it has the fix of copy_from_user_nofault"
	}
	return c
}

// sandboxes maps parts of the names of runtime handlers to runtimes that run each pod on a kernel of
// its own.
var sandboxes = map[string]string{"runsc": "gVisor", "gvisor": "gVisor", "kata": "Kata", "firecracker": "Firecracker"}

// runtimeClass checks that the pod's containers run on the node's kernel.
func (e *examination) runtimeClass(ctx context.Context, class string) Check {
	const name = "runtime class"
	handler := class
	if object, err := e.client.NodeV1().RuntimeClasses().Get(ctx, class, metav1.GetOptions{}); err == nil {
		handler = object.Handler
	}
	for part, kind := range sandboxes {
		if strings.Contains(handler, part) || strings.Contains(class, part) {
			return Check{name, Failed, fmt.Sprintf("%q is %s: its containers do not run on the node's kernel", class, kind), "run the pod without this runtime class"}
		}
	}
	return Check{name, OK, fmt.Sprintf("%q, handler %q", class, handler), ""}
}
