package launch

import (
	"context"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// waitForPod waits until the Job controller has created the pod of a Job and returns the pod's name.
// If the pod cannot be created, only an event of the controller says so, not the Job's status.
func (j *job) waitForPod(ctx context.Context, created *batchv1.Job) (string, error) {
	refusalRead := time.Now()
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
				return true, "", j.checkPod(&pods.Items[i])
			}
		}
		const state = "its pod was not created; is the Job controller running?"
		if time.Since(refusalRead) < eventInterval {
			return false, state, nil
		}
		refusalRead = time.Now()
		return false, state, j.podRefusal(ctx, created)
	})
	return name, err
}

// podRefusal returns a *Refusal if the Job controller creates no pod for a Job, because it cannot or
// because a queue has suspended the Job since. It returns nil if neither is known: the Job and its
// events are read if the user may.
func (j *job) podRefusal(ctx context.Context, created *batchv1.Job) error {
	if now, err := j.client.BatchV1().Jobs(created.Namespace).Get(ctx, created.Name, metav1.GetOptions{}); err == nil {
		if c := jobChange(j.job, now, j.options); c != nil {
			return c.refusal(Job)
		}
	}
	for _, e := range warnings(ctx, j.client, created.Namespace, created.UID) {
		if e.Reason == "FailedCreate" {
			return newRefusal(Job, shorten(e.Message))
		}
	}
	return nil
}

// checkPod returns an error if a pod of the Job has fewer privileges than the Job requests. Whoever
// may create pods can name our Job as the controller of a pod of their own, which would serve false
// profiles. Whoever may create a pod with these privileges controls the node and the target anyway.
func (j *job) checkPod(pod *corev1.Pod) error {
	if c := podChange(&j.job.Spec.Template.Spec, &pod.Spec, j.options); c != nil {
		return fmt.Errorf("its pod %q is not as requested: %s: a policy of the cluster changed it, "+
			"or it was created by somebody else", pod.Name, c.text)
	}
	return nil
}
