package launch

import (
	"fmt"
	"path"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// change describes a field that the cluster's admission, such as a mutating webhook, changed so that
// the profiler cannot work. Other changes, such as another registry of the image, do no harm.
type change struct {
	where  string // "container", "pod of the Job" or queued
	text   string // the field and its value
	advice string // what helps, besides the advice for the mode; may be empty
}

// queued is where a field was changed so that a queue holds the Job back.
const queued = "Job"

// refusal returns the refusal of a mode in which something was changed.
func (c *change) refusal(mode Mode) *Refusal {
	r := newRefusal(mode, fmt.Sprintf("the cluster's admission (a webhook or policy) changed the %s: %s", c.where, c.text))
	if c.where == queued {
		r.Advice = adviceQueue
	}
	if c.advice != "" {
		r.Advice += "; " + c.advice
	}
	return r
}

const (
	adviceCapabilities = "--capabilities requests a few capabilities instead of a privileged container"
	adviceExempt       = "or ask for an exemption of kubectl-pprof from the policy"
)

// containerChange compares the profiler's container with the one that the cluster admitted. It returns
// nil if the admitted container can take the profiles. stdin is not compared, because only attach
// needs it.
func containerChange(sent, admitted *corev1.Container, o Options) *change {
	changed := func(advice, format string, a ...any) *change {
		return &change{where: "container", text: fmt.Sprintf(format, a...), advice: advice}
	}
	if admitted == nil {
		return changed(adviceExempt, "it was removed")
	}
	security := ptr.Deref(admitted.SecurityContext, corev1.SecurityContext{})
	command, admittedCommand := slices.Concat(sent.Command, sent.Args), slices.Concat(admitted.Command, admitted.Args)
	switch {
	case !sufficient(&security, o) && !o.Capabilities:
		return changed(adviceCapabilities, "securityContext.privileged is %v, not true", ptr.Deref(security.Privileged, false))
	case !sufficient(&security, o):
		missing := missingCapabilities(security.Capabilities, o)
		return changed(adviceExempt, "securityContext.capabilities lacks %s", strings.Join(missing, ", "))
	case security.RunAsUser != nil && *security.RunAsUser != 0:
		return changed(adviceExempt, "securityContext.runAsUser is %d, not 0", *security.RunAsUser)
	case security.RunAsNonRoot != nil && *security.RunAsNonRoot:
		return changed(adviceExempt, "securityContext.runAsNonRoot is true, not false")
	case !hasSuffix(admittedCommand, command):
		return changed(adviceExempt, "command and args are %q", admittedCommand)
	}
	for _, m := range admitted.VolumeMounts {
		if hides(m.MountPath) {
			return changed(adviceExempt, "volumeMounts has %q at %s, which hides what the profiler needs", m.Name, m.MountPath)
		}
	}
	return nil
}

// hasSuffix reports whether a command line ends with another one. An injected program may come first,
// which executes the rest.
func hasSuffix(command, end []string) bool {
	return len(command) >= len(end) && slices.Equal(command[len(command)-len(end):], end)
}

// hides reports whether a volume at the path hides the profiler's program, /proc or /sys.
func hides(mountPath string) bool {
	p := path.Clean("/" + mountPath)
	return slices.Contains([]string{"/", Program, "/proc", "/sys"}, p)
}

// podChange compares the Job's pod with the one that the cluster admitted, as containerChange does.
func podChange(sent, admitted *corev1.PodSpec, o Options) *change {
	changed := func(format string, a ...any) *change {
		return &change{where: "pod of the Job", text: fmt.Sprintf(format, a...), advice: adviceExempt}
	}
	switch {
	case !admitted.HostPID:
		return changed("hostPID is false, not true")
	case admitted.NodeName != sent.NodeName:
		return changed("nodeName is %q, not %q", admitted.NodeName, sent.NodeName)
	case admitted.HostUsers != nil && !*admitted.HostUsers:
		return changed("hostUsers is false, and the kernel refuses BPF in a user namespace")
	}
	return containerChange(&sent.Containers[0], findContainer(admitted), o)
}

// findContainer returns the profiler's container in the Job's pod, or nil.
func findContainer(pod *corev1.PodSpec) *corev1.Container {
	for i := range pod.Containers {
		if pod.Containers[i].Name == containerName {
			return &pod.Containers[i]
		}
	}
	return nil
}

// jobChange compares the Job with the one that the cluster admitted, as containerChange does.
func jobChange(sent, admitted *batchv1.Job, o Options) *change {
	changed := func(format string, a ...any) *change {
		return &change{where: queued, text: fmt.Sprintf(format, a...)}
	}
	switch spec := admitted.Spec; {
	case ptr.Deref(spec.Suspend, false):
		return changed("spec.suspend is true, as a queue such as Kueue sets it, so no pod is created")
	case spec.ManagedBy != nil && *spec.ManagedBy != batchv1.JobControllerName:
		return changed("spec.managedBy is %q, so no pod is created here", *spec.ManagedBy)
	case spec.Parallelism != nil && *spec.Parallelism == 0:
		return changed("spec.parallelism is 0, so no pod is created")
	}
	return podChange(&sent.Spec.Template.Spec, &admitted.Spec.Template.Spec, o)
}

// ephemeralChange compares the ephemeral container with the one in the pod that the cluster admitted,
// as containerChange does.
func ephemeralChange(sent *corev1.EphemeralContainer, admitted *corev1.Pod, o Options) *change {
	container := (*corev1.Container)(&sent.EphemeralContainerCommon)
	c := findEphemeral(admitted, sent.Name)
	if c == nil {
		return containerChange(container, nil, o)
	}
	if got, want := c.TargetContainerName, sent.TargetContainerName; got != want {
		return &change{"container", fmt.Sprintf("targetContainerName is %q, not %q", got, want), adviceExempt}
	}
	return containerChange(container, (*corev1.Container)(&c.EphemeralContainerCommon), o)
}

// findEphemeral returns an ephemeral container of a pod by its name, or nil.
func findEphemeral(pod *corev1.Pod, name string) *corev1.EphemeralContainer {
	for i := range pod.Spec.EphemeralContainers {
		if pod.Spec.EphemeralContainers[i].Name == name {
			return &pod.Spec.EphemeralContainers[i]
		}
	}
	return nil
}
