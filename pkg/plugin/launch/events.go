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

// warnings lists what went wrong with an object. Whoever may not read events gets none.
func warnings(ctx context.Context, client kubernetes.Interface, namespace string, uid types.UID) []corev1.Event {
	events, err := client.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{
		FieldSelector: fields.Set{"involvedObject.uid": string(uid), "type": corev1.EventTypeWarning}.String(),
	})
	if err != nil {
		return nil
	}
	return events.Items
}

// containerWarning says why a container of a pod does not start, "" if there is no warning of it.
// The kubelet tells it twice, first in words, if it has any, and last as "Error: ErrImagePull"
// (kubelet, pkg/kubelet/kuberuntime).
func containerWarning(events []corev1.Event, container string) string {
	var words, code string
	for _, e := range events {
		if !strings.HasSuffix(e.InvolvedObject.FieldPath, "{"+container+"}") {
			continue
		}
		if after, ok := strings.CutPrefix(e.Message, "Error: "); ok {
			code = oneLine(after)
		} else {
			words = oneLine(e.Message)
		}
	}
	if code == "" || words == "" {
		return code
	}
	return code + ": " + words
}
