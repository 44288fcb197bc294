package launch

import (
	"context"
	"fmt"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
)

// job launches the profiler as a Job whose pod shares the PID namespace of the target's node.
type job struct {
	client  kubernetes.Interface
	target  *target.Target
	options Options
	job     *batchv1.Job
	kept    *batchv1.Job // runs a kept profiler

	transfers []stream.Transfer
}

func newJob(client kubernetes.Interface, t *target.Target, o Options) *job {
	if o.JobNamespace == "" {
		o.JobNamespace = t.Namespace()
	}
	return &job{client: client, target: t, options: o, job: jobFor(newName(), t, o, time.Now())}
}

func (j *job) namespace() string { return j.job.Namespace }

// DryRun asks for the Job and for its pod: PodSecurity admits any Job and refuses only its pod.
func (j *job) DryRun(ctx context.Context) (map[string]any, error) {
	list := permission{"list", "", "pods", "", j.namespace()}
	create := permission{"create", "batch", "jobs", "", j.namespace()}
	var missing []permission
	var podErr error
	var mayList bool
	var wg sync.WaitGroup
	wg.Go(func() { j.transfers, missing = j.options.transfers(ctx, j.client, j.namespace()) })
	wg.Go(func() { mayList = allowed(ctx, j.client, list) })
	wg.Go(func() { podErr = j.dryRunPod(ctx) })
	wg.Go(func() {
		if !j.options.Fresh {
			j.kept = j.findKept(ctx)
		}
	})
	_, err := j.client.BatchV1().Jobs(j.namespace()).Create(ctx, j.job, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	wg.Wait()

	if err := refusal(ctx, j.client, Job, create, err); err != nil {
		return nil, err
	}
	if !mayList {
		missing = append(missing, list)
	}
	if len(missing) > 0 {
		return nil, lacks(Job, missing...)
	}
	if podErr != nil {
		return nil, podErr
	}
	if unasked(j.transfers) {
		j.kept = nil
		j.job.Spec.Template.Spec.Containers[0].Args = arguments(j.target, j.options, time.Now(), j.transfers)
	}
	if j.kept != nil {
		return nil, nil
	}
	return cleanJob(j.job)
}

func (j *job) Transfers() []stream.Transfer { return j.transfers }

// dryRunPod asks for the Job's pod, if the user may create pods; else only the Job will tell.
func (j *job) dryRunPod(ctx context.Context) error {
	pod := &corev1.Pod{ObjectMeta: *j.job.Spec.Template.ObjectMeta.DeepCopy(), Spec: j.job.Spec.Template.Spec}
	pod.Name = j.job.Name
	_, err := j.client.CoreV1().Pods(j.namespace()).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	create := permission{"create", "", "pods", "", j.namespace()}
	if apierrors.IsForbidden(err) && !allowed(ctx, j.client, create) {
		return nil
	}
	return refusal(ctx, j.client, Job, create, err)
}

// cleanJob is the Job without the fields that the server fills in.
func cleanJob(j *batchv1.Job) (map[string]any, error) {
	object, err := toMap(j)
	if err != nil {
		return nil, err
	}
	delete(object, "status")
	unstructured.RemoveNestedField(object, "metadata", "creationTimestamp")
	unstructured.RemoveNestedField(object, "spec", "template", "metadata", "creationTimestamp")
	return object, nil
}

// findKept looks for a kept profiler of the target. Whoever may not list Jobs starts a new one.
func (j *job) findKept(ctx context.Context) *batchv1.Job {
	jobs, err := j.client.BatchV1().Jobs(j.namespace()).List(ctx, metav1.ListOptions{LabelSelector: labelApp + "=" + app})
	if err != nil {
		return nil
	}
	for i := range jobs.Items {
		container := jobs.Items[i].Spec.Template.Spec.Containers[0]
		if jobs.Items[i].Status.Active > 0 && jobs.Items[i].DeletionTimestamp == nil &&
			container.Image == j.options.Image && reusable(container.Args, j.target, j.options, time.Now()) && j.options.suffices(container.SecurityContext) {
			return &jobs.Items[i]
		}
	}
	return nil
}

func (j *job) Launch(ctx context.Context) (*Session, error) {
	waiting, cancel := withTimeout(ctx, j.options)
	defer cancel()
	if j.kept != nil {
		return j.session(waiting, j.kept)
	}
	created, err := j.client.BatchV1().Jobs(j.namespace()).Create(waiting, j.job, metav1.CreateOptions{})
	if err != nil {
		if !isStatus(err) {
			j.cleanUp(ctx, j.job.Name) // it exists if only the answer was lost
		}
		return nil, fmt.Errorf("creating job %q: %w", j.job.Name, err)
	}
	session, err := j.session(waiting, created)
	if err != nil {
		j.cleanUp(ctx, created.Name)
		return nil, fmt.Errorf("job %q in namespace %q: %w", created.Name, created.Namespace, err)
	}
	return session, nil
}

// session waits for the profiler of a Job.
func (j *job) session(ctx context.Context, of *batchv1.Job) (*Session, error) {
	pod, err := j.waitForPod(ctx, of)
	if err != nil {
		return nil, err
	}
	ref := stream.Ref{Namespace: of.Namespace, Pod: pod, Container: containerName}
	if err := waitForContainer(ctx, j.client, ref, j.options, j.target.Node(), unasked(j.transfers)); err != nil {
		return nil, err
	}
	return &Session{
		Ref: ref, Mode: Job, Reused: of == j.kept, client: j.client, target: j.target,
		close: func(ctx context.Context) error { return j.remove(ctx, of.Name) },
	}, nil
}

// cleanUp removes the Job also when ctx has ended, as after Ctrl-C.
func (j *job) cleanUp(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = j.remove(ctx, name) // the Job's deadline and time to live are the second line
}

// remove deletes the Job and its pod: by default batch/v1 leaves the pod behind.
func (j *job) remove(ctx context.Context, name string) error {
	err := j.client.BatchV1().Jobs(j.namespace()).Delete(ctx, name,
		metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationBackground)})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("job %q in namespace %q could not be deleted: %w", name, j.namespace(), err)
	}
	return nil
}
