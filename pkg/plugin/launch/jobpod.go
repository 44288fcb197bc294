package launch

import (
	"context"
	"errors"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// waitForPod waits until the Job controller has made the Job's pod and gives its name. A pod that
// cannot be made is told by the controller's FailedCreate event and by nothing in the Job itself.
func (j *job) waitForPod(ctx context.Context, of *batchv1.Job) (string, error) {
	begin := time.Now()
	var name string
	err := poll(ctx, nil, func(ctx context.Context) (bool, string, error) {
		pods, err := j.client.CoreV1().Pods(of.Namespace).List(ctx, metav1.ListOptions{
			LabelSelector: labelInstance + "=" + of.Name,
		})
		if err != nil {
			return false, "", err
		}
		for i := range pods.Items {
			if metav1.IsControlledBy(&pods.Items[i], of) {
				name = pods.Items[i].Name
				return true, "", nil
			}
		}
		if time.Since(begin) < time.Second {
			return false, "its pod was not created", nil
		}
		return false, "its pod was not created; is the Job controller running?", j.failedCreate(ctx, of)
	})
	return name, err
}

// failedCreate gives the reason why the Job controller could not make the pod, if it told one.
func (j *job) failedCreate(ctx context.Context, of *batchv1.Job) error {
	for _, e := range warnings(ctx, j.client, of.Namespace, of.UID) {
		if e.Reason == "FailedCreate" {
			return &Refusal{Mode: Job, Reason: quote(e.Message), Advice: adviceJob}
		}
	}
	return nil
}

func isStatus(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status)
}
