package launch

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// bpfCapabilities replace a privileged container for profiles that need BPF (capabilities(7)).
var bpfCapabilities = []corev1.Capability{
	"BPF",                // load programs and create maps
	"PERFMON",            // attach programs to perf events; let programs read memory
	"SYS_PTRACE",         // read /proc/PID/maps, /proc/PID/root and the memory of other processes
	"DAC_READ_SEARCH",    // read files of other users
	"SYSLOG",             // read kernel addresses from /proc/kallsyms
	"CHECKPOINT_RESTORE", // open mapped files that were deleted, through /proc/PID/map_files
}

// memoryCapabilities suffice to read the memory of processes, and those binaries that every user may
// read.
var memoryCapabilities = []corev1.Capability{"SYS_PTRACE"}

// requiredCapabilities returns the capabilities without which the profiles cannot be taken.
func requiredCapabilities(o Options) []corev1.Capability {
	if o.MemoryOnly {
		return memoryCapabilities
	}
	return bpfCapabilities
}

// sufficient reports whether a container with the security context can take the profiles.
func sufficient(c *corev1.SecurityContext, o Options) bool {
	switch {
	case c == nil:
		return false
	case ptr.Deref(c.Privileged, false):
		return true
	}
	return len(missingCapabilities(c.Capabilities, o)) == 0
}

// missingCapabilities returns the names of the required capabilities that a container does not have.
// One that is both added and dropped by name is dropped (containerd, WithCapabilities in
// internal/cri/opts).
func missingCapabilities(c *corev1.Capabilities, o Options) (missing []string) {
	for _, r := range requiredCapabilities(o) {
		if c == nil || !slices.Contains(c.Add, r) || slices.Contains(c.Drop, r) {
			missing = append(missing, string(r))
		}
	}
	return missing
}

// securityContext returns the context of the profiler's container: root, and either privileged or
// with the required capabilities only. The pod's runAsUser and runAsNonRoot are inherited unless
// both are set (kubernetes/kubernetes#113006), and so are its seccomp and AppArmor profiles.
// Privileged containers do not get the node's default profiles.
func securityContext(o Options, pod *corev1.PodSecurityContext) *corev1.SecurityContext {
	c := &corev1.SecurityContext{RunAsUser: ptr.To(int64(0)), RunAsNonRoot: ptr.To(false)}
	if !o.Capabilities {
		c.Privileged = ptr.To(true)
	} else {
		c.Capabilities = &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}, Add: requiredCapabilities(o)}
		c.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined}
		if o.MemoryOnly { // a policy that refuses this context refuses every other one as well
			c.SeccompProfile.Type = corev1.SeccompProfileTypeRuntimeDefault
		}
	}
	if o.Capabilities || pod != nil && pod.AppArmorProfile != nil {
		c.AppArmorProfile = &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined}
	}
	return c
}
