package launch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/access"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
)

// job launches the profiler as a Job whose pod shares the PID namespace of the target's node.
type job struct {
	client    kubernetes.Interface
	target    *target.Target
	options   Options
	job       *batchv1.Job
	kept      *batchv1.Job // runs a kept profiler that can be reused; nil if there is none
	transfers []stream.Transfer
}

func newJob(client kubernetes.Interface, t *target.Target, o Options) *job {
	if o.JobNamespace == "" {
		o.JobNamespace = t.Namespace()
	}
	return &job{client: client, target: t, options: o, job: jobSpec(newName(), t, o, time.Now())}
}

func (j *job) namespace() string { return j.job.Namespace }

// DryRun sends the Job and its pod, because PodSecurity admits every Job and refuses only its pod.
func (j *job) DryRun(ctx context.Context) (map[string]any, error) {
	list := access.Permission{Verb: "list", Resource: "pods", Namespace: j.namespace()}
	create := access.Permission{Verb: "create", Group: "batch", Resource: "jobs", Namespace: j.namespace()}
	var missing []access.Permission
	var podErr error
	var mayList bool
	var wg sync.WaitGroup
	wg.Go(func() { j.transfers, missing = permittedTransfers(ctx, j.client, j.options, j.namespace()) })
	wg.Go(func() { mayList = mayTry(ctx, j.client, list) })
	wg.Go(func() { podErr = j.dryRunPod(ctx) })
	wg.Go(func() {
		if !j.options.Fresh {
			j.kept = j.findKept(ctx)
		}
	})
	_, err := j.client.BatchV1().Jobs(j.namespace()).Create(ctx, j.job, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	wg.Wait()

	if err := dryRunError(ctx, j.client, Job, create, err); err != nil {
		return nil, err
	}
	if !mayList {
		missing = append(missing, list)
	}
	if len(missing) > 0 {
		return nil, missingPermissions(Job, missing...)
	}
	if podErr != nil {
		return nil, podErr
	}
	if onlyLogs(j.transfers) {
		j.kept = nil
		j.job.Spec.Template.Spec.Containers[0].Args = arguments(j.target, j.options, time.Now(), j.transfers)
	}
	if j.kept != nil {
		return nil, nil
	}
	return cleanJob(j.job)
}

func (j *job) Transfers() []stream.Transfer { return j.transfers }

// dryRunPod sends the Job's pod. If the user may not create pods, it returns nil: whether the pod is
// admitted shows only when the Job controller creates it.
func (j *job) dryRunPod(ctx context.Context) error {
	pod := &corev1.Pod{ObjectMeta: *j.job.Spec.Template.ObjectMeta.DeepCopy(), Spec: j.job.Spec.Template.Spec}
	pod.Name = j.job.Name
	_, err := j.client.CoreV1().Pods(j.namespace()).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	create := access.Permission{Verb: "create", Resource: "pods", Namespace: j.namespace()}
	if apierrors.IsForbidden(err) && !mayTry(ctx, j.client, create) {
		return nil
	}
	return dryRunError(ctx, j.client, Job, create, err)
}

// cleanJob returns the Job as an object without the fields that the server sets.
func cleanJob(j *batchv1.Job) (map[string]any, error) {
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(j)
	if err != nil {
		return nil, err
	}
	delete(object, "status")
	unstructured.RemoveNestedField(object, "metadata", "creationTimestamp")
	unstructured.RemoveNestedField(object, "spec", "template", "metadata", "creationTimestamp")
	return object, nil
}

// findKept returns the Job of a kept profiler of the target, or nil if there is none or the user may
// not list Jobs.
func (j *job) findKept(ctx context.Context) *batchv1.Job {
	jobs, err := j.client.BatchV1().Jobs(j.namespace()).List(ctx, metav1.ListOptions{LabelSelector: labelApp + "=" + app})
	if err != nil {
		return nil
	}
	for i := range jobs.Items {
		job := &jobs.Items[i]
		c := job.Spec.Template.Spec.Containers[0]
		if job.Status.Active > 0 && job.DeletionTimestamp == nil && c.Image == j.options.Image &&
			reusable(c.Args, j.target, j.options, time.Now()) && sufficient(c.SecurityContext, j.options) {
			return job
		}
	}
	return nil
}

func (j *job) Launch(ctx context.Context) (*Profiler, error) {
	bounded, cancel := withTimeout(ctx, j.options)
	defer cancel()
	if j.kept != nil {
		return j.waitForProfiler(bounded, j.kept)
	}
	created, err := j.client.BatchV1().Jobs(j.namespace()).Create(bounded, j.job, metav1.CreateOptions{})
	if err != nil {
		if !errors.As(err, new(apierrors.APIStatus)) {
			j.cleanUp(ctx, j.job.Name) // the Job may exist: perhaps only the response was lost
		}
		return nil, fmt.Errorf("creating job %q: %w", j.job.Name, err)
	}
	profiler, err := j.waitForProfiler(bounded, created)
	if err != nil {
		j.cleanUp(ctx, created.Name)
		return nil, fmt.Errorf("job %q in namespace %q: %w", created.Name, created.Namespace, err)
	}
	return profiler, nil
}

// waitForProfiler waits until the profiler of a Job runs.
func (j *job) waitForProfiler(ctx context.Context, created *batchv1.Job) (*Profiler, error) {
	pod, err := j.waitForPod(ctx, created)
	if err != nil {
		return nil, err
	}
	ref := stream.Ref{Namespace: created.Namespace, Pod: pod, Container: containerName}
	if err := waitForContainer(ctx, j.client, ref, j.options, j.target.Node(), onlyLogs(j.transfers)); err != nil {
		return nil, err
	}
	return &Profiler{
		Ref: ref, Mode: Job, Reused: created == j.kept, client: j.client, target: j.target,
		close: func(ctx context.Context) error { return j.remove(ctx, created.Name) },
	}, nil
}

// cleanUp deletes the Job, even if ctx has ended, as it has after Ctrl-C.
func (j *job) cleanUp(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = j.remove(ctx, name) // on failure, the Job's deadline and time to live remove it
}

// remove deletes the Job and its pod. By default, deleting a batch/v1 Job leaves its pod behind.
func (j *job) remove(ctx context.Context, name string) error {
	err := j.client.BatchV1().Jobs(j.namespace()).Delete(ctx, name,
		metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationBackground)})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("job %q in namespace %q could not be deleted: %w", name, j.namespace(), err)
	}
	return nil
}
