package launch

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// capabilities are what the profiler needs of a privileged container (capabilities(7)).
var capabilities = []corev1.Capability{
	"BPF",                // to load programs and make maps
	"PERFMON",            // to attach them to perf events and let them read memory
	"SYS_PTRACE",         // to see the mappings, the files and the labels of processes
	"DAC_READ_SEARCH",    // to read files of other users
	"SYSLOG",             // to name the kernel's functions
	"CHECKPOINT_RESTORE", // to open what is mapped and was deleted since
}

// memoryCapabilities suffice to read the memory of processes, and their binaries where everybody may read those.
var memoryCapabilities = []corev1.Capability{"SYS_PTRACE"}

// needed are the capabilities without which the profiles cannot be taken.
func (o Options) needed() []corev1.Capability {
	if o.MemoryOnly {
		return memoryCapabilities
	}
	return capabilities
}

// suffices tells whether a kept profiler has what the profiles take.
func (o Options) suffices(c *corev1.SecurityContext) bool {
	if c == nil || c.Privileged != nil && *c.Privileged {
		return c != nil
	}
	return c.Capabilities != nil && !slices.ContainsFunc(o.needed(), func(n corev1.Capability) bool { return !slices.Contains(c.Capabilities.Add, n) })
}

// securityContext is root with everything, or with no more than it takes. The pod's runAsUser and runAsNonRoot would
// be inherited unless both are set (kubernetes/kubernetes#113006), and so would its seccomp and AppArmor profiles;
// privileged containers have none of the node's.
func securityContext(o Options, pod *corev1.PodSecurityContext) *corev1.SecurityContext {
	c := &corev1.SecurityContext{RunAsUser: ptr.To(int64(0)), RunAsNonRoot: ptr.To(false)}
	if !o.Capabilities {
		c.Privileged = ptr.To(true)
	} else {
		c.Capabilities = &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}, Add: o.needed()}
		c.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined}
		if o.MemoryOnly { // what that refuses takes a privileged container in any case
			c.SeccompProfile.Type = corev1.SeccompProfileTypeRuntimeDefault
		}
	}
	if o.Capabilities || pod != nil && pod.AppArmorProfile != nil {
		c.AppArmorProfile = &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined}
	}
	return c
}
