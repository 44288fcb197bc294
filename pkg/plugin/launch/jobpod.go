package launch

import (
	"context"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// waitForPod waits until the Job controller has created the pod of a Job and returns the pod's name.
// If the pod cannot be created, only an event of the controller says so, not the Job's status.
func (j *job) waitForPod(ctx context.Context, created *batchv1.Job) (string, error) {
	begin := time.Now()
	var name string
	err := poll(ctx, func(ctx context.Context) (bool, string, error) {
		pods, err := j.client.CoreV1().Pods(created.Namespace).List(ctx, metav1.ListOptions{
			LabelSelector: labelInstance + "=" + created.Name,
		})
		if err != nil {
			return false, "", err
		}
		for i := range pods.Items {
			if metav1.IsControlledBy(&pods.Items[i], created) {
				name = pods.Items[i].Name
				return true, "", nil
			}
		}
		if time.Since(begin) < time.Second {
			return false, "its pod was not created", nil
		}
		return false, "its pod was not created; is the Job controller running?", j.podRefusal(ctx, created)
	})
	return name, err
}

// podRefusal returns a *Refusal if the Job controller could not create the pod of a Job, else nil.
func (j *job) podRefusal(ctx context.Context, created *batchv1.Job) error {
	for _, e := range warnings(ctx, j.client, created.Namespace, created.UID) {
		if e.Reason == "FailedCreate" {
			return newRefusal(Job, shorten(e.Message))
		}
	}
	return nil
}
