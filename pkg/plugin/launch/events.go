package launch

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// warnings returns the warning events of an object, or none if the user may not list events.
func warnings(ctx context.Context, client kubernetes.Interface, namespace string, uid types.UID) []corev1.Event {
	events, err := client.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{
		FieldSelector: fields.Set{"involvedObject.uid": string(uid), "type": corev1.EventTypeWarning}.String(),
	})
	if err != nil {
		return nil
	}
	return events.Items
}

// startFailure returns the reason why a container does not start, or "" if the events have none. The
// kubelet may first emit an event with an explanation. The last event is the error's name alone, as
// in "Error: ErrImagePull" (kubelet, pkg/kubelet/kuberuntime).
func startFailure(events []corev1.Event, container string) string {
	var explanation, name string
	for _, e := range events {
		if !strings.HasSuffix(e.InvolvedObject.FieldPath, "{"+container+"}") {
			continue
		}
		if after, ok := strings.CutPrefix(e.Message, "Error: "); ok {
			name = oneLine(after)
		} else {
			explanation = oneLine(e.Message)
		}
	}
	if name == "" || explanation == "" {
		return name
	}
	return name + ": " + explanation
}
