package launch

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestStartFailure(t *testing.T) {
	event := func(container, message string) corev1.Event {
		return corev1.Event{Message: message, InvolvedObject: corev1.ObjectReference{FieldPath: "spec.ephemeralContainers{" + container + "}"}}
	}
	for name, c := range map[string]struct {
		events []corev1.Event
		want   string
	}{
		"no events":            {nil, ""},
		"another container":    {[]corev1.Event{event("other", "Failed to pull")}, ""},
		"the pod":              {[]corev1.Event{{Message: "MissingClusterDNS"}}, ""},
		"explanation and name": {[]corev1.Event{event("mine", "Error: ErrImagePull"), event("mine", "Failed to pull:\nnot found")}, "ErrImagePull: Failed to pull: not found"},
		"explanation alone":    {[]corev1.Event{event("mine", "Failed to pull")}, ""},
		"name alone":           {[]corev1.Event{event("mine", "Error: no space left")}, "no space left"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := startFailure(c.events, "mine"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
