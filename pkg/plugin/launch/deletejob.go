package launch

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
)

// deleteJob deletes the Job with the UID and its pod; an empty UID stands for any. By default,
// deleting a batch/v1 Job leaves its pod behind.
func deleteJob(ctx context.Context, client kubernetes.Interface, namespace, name string, uid types.UID) error {
	options := metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationBackground)}
	if uid != "" {
		options.Preconditions = &metav1.Preconditions{UID: &uid}
	}
	err := client.BatchV1().Jobs(namespace).Delete(ctx, name, options)
	// A conflict means that another Job has this name now: ours is gone.
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("job %q in namespace %q could not be deleted: %w", name, namespace, err)
	}
	return nil
}
