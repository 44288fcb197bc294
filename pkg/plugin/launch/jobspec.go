package launch

import (
	"maps"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
)

const (
	app              = "kubectl-pprof"
	labelApp         = "app"
	labelInstance    = "app.kubernetes.io/instance"
	containerName    = "profiler"
	annotationTarget = "kubectl-pprof/target"
	// ttlSeconds is how long a finished Job stays if the plugin does not delete it.
	ttlSeconds = 15
)

// jobSpec returns the Job that profiles a target from outside its pod: on the target's node, in the
// node's PID namespace, without a service account token and without the sidecars of service meshes.
func jobSpec(name string, t *target.Target, o Options, now time.Time) *batchv1.Job {
	labels := map[string]string{
		labelApp:                       app,
		"app.kubernetes.io/name":       app,
		labelInstance:                  name,
		"app.kubernetes.io/component":  "profiler",
		"app.kubernetes.io/managed-by": app,
	}
	// A sidecar of a service mesh would keep the pod running after the profiler has exited.
	noMesh := map[string]string{
		"sidecar.istio.io/inject":             "false",
		"linkerd.io/inject":                   "disabled",
		"kuma.io/sidecar-injection":           "disabled",
		"consul.hashicorp.com/connect-inject": "false",
	}
	podLabels := maps.Clone(labels)
	podLabels["sidecar.istio.io/inject"] = "false" // Istio deprecates the annotation in favour of the label
	pod := corev1.PodSpec{
		NodeName:                      t.Node(),
		HostPID:                       true,
		RestartPolicy:                 corev1.RestartPolicyNever,
		Tolerations:                   []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
		AutomountServiceAccountToken:  ptr.To(false),
		EnableServiceLinks:            ptr.To(false),
		ServiceAccountName:            o.ServiceAccount,
		TerminationGracePeriodSeconds: ptr.To(int64(1)),
		Containers: []corev1.Container{{
			Name:            containerName,
			Image:           o.Image,
			ImagePullPolicy: o.PullPolicy,
			Command:         []string{Program},
			Args:            arguments(Job, t, o, now, nil),
			Stdin:           true, // for attach
			SecurityContext: securityContext(o, nil),
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{
					corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("64Mi"),
				},
				Limits: corev1.ResourceList{
					corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("512Mi"),
				},
			},
			TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		}},
	}
	if o.ImagePullSecret != "" {
		pod.ImagePullSecrets = []corev1.LocalObjectReference{{Name: o.ImagePullSecret}}
	}
	return &batchv1.Job{
		TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: o.JobNamespace, Labels: labels,
			Annotations: map[string]string{annotationTarget: t.String()},
		},
		Spec: batchv1.JobSpec{
			BackoffLimit:            ptr.To(int32(0)),
			ActiveDeadlineSeconds:   ptr.To(int64(deadline(o, now).Sub(now).Seconds())),
			TTLSecondsAfterFinished: ptr.To(int32(ttlSeconds)),
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: podLabels, Annotations: noMesh},
				Spec:       pod,
			},
		},
	}
}
