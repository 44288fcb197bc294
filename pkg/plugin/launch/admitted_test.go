package launch

import (
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// security returns the security context of a container, in which the changes are made.
func security(c *corev1.Container) *corev1.SecurityContext {
	if c.SecurityContext == nil {
		c.SecurityContext = &corev1.SecurityContext{}
	}
	return c.SecurityContext
}

// containerChanges are changes that admission makes to the profiler's container. want is a part of the
// text of the change that is found, or "" if the profiler can do without the field.
var containerChanges = map[string]struct {
	change       func(*corev1.Container)
	capabilities bool // are requested
	want         string
}{
	"nothing":                 {change: func(*corev1.Container) {}},
	"nothing, capabilities":   {change: func(*corev1.Container) {}, capabilities: true},
	"another registry":        {change: func(c *corev1.Container) { c.Image = "mirror.local/" + c.Image }},
	"read-only file system":   {change: func(c *corev1.Container) { security(c).ReadOnlyRootFilesystem = ptr.To(true) }},
	"an environment variable": {change: func(c *corev1.Container) { c.Env = []corev1.EnvVar{{Name: "HTTP_PROXY"}} }},
	"a volume":                {change: mountAt("/var/run/secrets")},
	"a wrapper":               {change: func(c *corev1.Container) { c.Command = append([]string{"/vault-env"}, c.Command...) }},
	"not privileged": {
		change: func(c *corev1.Container) { security(c).Privileged = ptr.To(false) },
		want:   "securityContext.privileged is false, not true",
	},
	"no security context": {
		change: func(c *corev1.Container) { c.SecurityContext = nil },
		want:   "securityContext.privileged is false, not true",
	},
	"capabilities dropped": {
		change:       func(c *corev1.Container) { security(c).Capabilities.Add = []corev1.Capability{"BPF", "PERFMON"} },
		capabilities: true,
		want:         "securityContext.capabilities lacks SYS_PTRACE, DAC_READ_SEARCH",
	},
	"a capability dropped by name": {
		change: func(c *corev1.Container) {
			security(c).Capabilities.Drop = append(security(c).Capabilities.Drop, "SYS_PTRACE")
		},
		capabilities: true,
		want:         "securityContext.capabilities lacks SYS_PTRACE",
	},
	"another user": {
		change: func(c *corev1.Container) { security(c).RunAsUser = ptr.To(int64(1000)) },
		want:   "securityContext.runAsUser is 1000, not 0",
	},
	"not root": {
		change: func(c *corev1.Container) { security(c).RunAsNonRoot = ptr.To(true) },
		want:   "securityContext.runAsNonRoot is true",
	},
	"another command": {
		change: func(c *corev1.Container) { c.Command = []string{"sleep"} },
		want:   `command and args are ["sleep"`,
	},
	"other arguments": {
		change: func(c *corev1.Container) { c.Args = nil },
		want:   `command and args are ["/profiler"]`,
	},
	"a volume over the binary": {change: mountAt("/profiler"), want: `volumeMounts has "x" at /profiler`},
	"a volume over /proc":      {change: mountAt("/proc/"), want: `volumeMounts has "x" at /proc/`},
}

func mountAt(path string) func(*corev1.Container) {
	return func(c *corev1.Container) { c.VolumeMounts = []corev1.VolumeMount{{Name: "x", MountPath: path}} }
}

func expectChange(t *testing.T, c *change, want string) {
	t.Helper()
	if want == "" && c != nil || want != "" && (c == nil || !strings.Contains(c.text, want)) {
		t.Errorf("got %+v, want %q", c, want)
	}
}

func TestContainerChange(t *testing.T) {
	for name, c := range containerChanges {
		t.Run(name, func(t *testing.T) {
			o := Options{Image: "profiler:1", Timeout: time.Minute, Capabilities: c.capabilities}
			sent := ephemeralContainer("kubectl-pprof-abcde", web(), o, noon)
			admitted := web().Pod
			admitted.Spec.EphemeralContainers = []corev1.EphemeralContainer{*sent.DeepCopy()}
			c.change((*corev1.Container)(&admitted.Spec.EphemeralContainers[0].EphemeralContainerCommon))
			expectChange(t, ephemeralChange(sent, admitted, o), c.want)

			job := jobSpec("kubectl-pprof-abcde", web(), o, noon)
			changed := job.DeepCopy()
			c.change(&changed.Spec.Template.Spec.Containers[0])
			expectChange(t, jobChange(job, changed, o), c.want)
		})
	}
}

func TestEphemeralChange(t *testing.T) {
	sent := ephemeralContainer("kubectl-pprof-abcde", web(), Options{}, noon)
	admitted := web().Pod
	expectChange(t, ephemeralChange(sent, admitted, Options{}), "it was removed")
	admitted.Spec.EphemeralContainers = []corev1.EphemeralContainer{*sent.DeepCopy()}
	admitted.Spec.EphemeralContainers[0].TargetContainerName = ""
	expectChange(t, ephemeralChange(sent, admitted, Options{}), `targetContainerName is "", not "app"`)
}

func TestJobChange(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*batchv1.JobSpec)
		want   string
	}{
		"a label": {func(j *batchv1.JobSpec) { j.Template.Labels["team"] = "shop" }, ""},
		"a sidecar first": {func(j *batchv1.JobSpec) {
			j.Template.Spec.Containers = append([]corev1.Container{{Name: "proxy"}}, j.Template.Spec.Containers...)
		}, ""},
		"suspended": {func(j *batchv1.JobSpec) { j.Suspend = ptr.To(true) },
			"spec.suspend is true, as a queue such as Kueue sets it"},
		"managed": {func(j *batchv1.JobSpec) { j.ManagedBy = ptr.To("kueue.x-k8s.io/multikueue") },
			`spec.managedBy is "kueue.x-k8s.io/multikueue"`},
		"managed as ever": {func(j *batchv1.JobSpec) { j.ManagedBy = ptr.To(batchv1.JobControllerName) }, ""},
		"no pods":         {func(j *batchv1.JobSpec) { j.Parallelism = ptr.To(int32(0)) }, "spec.parallelism is 0"},
		"no host PIDs":    {func(j *batchv1.JobSpec) { j.Template.Spec.HostPID = false }, "hostPID is false"},
		"another node":    {func(j *batchv1.JobSpec) { j.Template.Spec.NodeName = "" }, `nodeName is "", not "node-1"`},
		"user namespace":  {func(j *batchv1.JobSpec) { j.Template.Spec.HostUsers = ptr.To(false) }, "hostUsers is false"},
		"no container":    {func(j *batchv1.JobSpec) { j.Template.Spec.Containers[0].Name = "x" }, "it was removed"},
	} {
		t.Run(name, func(t *testing.T) {
			job := jobSpec("kubectl-pprof-abcde", web(), Options{}, noon)
			admitted := job.DeepCopy()
			c.change(&admitted.Spec)
			expectChange(t, jobChange(job, admitted, Options{}), c.want)
		})
	}
}

// The advice is for the field that was changed and for the mode.
func TestChangeRefusal(t *testing.T) {
	job := jobSpec("kubectl-pprof-abcde", web(), Options{}, noon)
	suspended, empty, limited := job.DeepCopy(), job.DeepCopy(), job.DeepCopy()
	suspended.Spec.Suspend = ptr.To(true)
	empty.Spec.Parallelism = ptr.To(int32(0))
	limited.Spec.Template.Spec.Containers[0].SecurityContext.Privileged = nil
	const reason = "the cluster's admission (a webhook or policy) changed the"
	for admitted, advice := range map[*batchv1.Job]string{
		suspended: adviceQueue, empty: adviceQueue, limited: adviceCapabilities,
	} {
		r := jobChange(job, admitted, Options{}).refusal(Job)
		if !strings.Contains(r.Reason, reason) || !strings.Contains(r.Advice, advice) {
			t.Errorf("got %v", r)
		}
	}
}
