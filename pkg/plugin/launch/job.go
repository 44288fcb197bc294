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
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

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
	record    keptProfiler // of the profiler that Launch starts
	transfers []stream.Transfer
}

func newJob(client kubernetes.Interface, t *target.Target, o Options) *job {
	if o.JobNamespace == "" {
		o.JobNamespace = t.Namespace()
	}
	now := time.Now()
	return &job{client: client, target: t, options: o, job: jobSpec(newName(), t, o, now), record: newKept(Job, t, o, now)}
}

func (j *job) namespace() string { return j.job.Namespace }

// DryRun sends the Job and its pod, because PodSecurity admits every Job and refuses only its pod.
func (j *job) DryRun(ctx context.Context) (map[string]any, error) {
	list := access.Permission{Verb: "list", Resource: "pods", Namespace: j.namespace()}
	var missing []access.Permission
	var mayList bool
	var ranges []corev1.LimitRange
	var wg sync.WaitGroup
	wg.Go(func() { j.transfers, missing = permittedTransfers(ctx, j.client, j.options, j.namespace()) })
	wg.Go(func() { mayList = mayTry(ctx, j.client, list) })
	wg.Go(func() { ranges = limitRanges(ctx, j.client, j.namespace()) })
	admit := func() error { return j.admit(ctx) }
	err := admit()
	wg.Wait()

	container := &j.job.Spec.Template.Spec.Containers[0]
	if changed, tooSmall := fitLimits(&container.Resources, ranges); tooSmall != nil {
		return nil, tooSmall
	} else if changed {
		err = admit()
	}
	j.transfers, err = admitStdin(Job, container, j.transfers, err, admit)
	if err != nil {
		return nil, err
	}
	if !mayList {
		missing = append(missing, list)
	}
	if len(missing) > 0 {
		return nil, missingPermissions(Job, missing...)
	}
	if onlyLogs(j.transfers) {
		container.Args = arguments(Job, j.target, j.options, time.Now(), j.transfers)
	}
	return cleanJob(j.job)
}

func (j *job) Transfers() []stream.Transfer { return j.transfers }

// admit sends the Job and its pod in dry runs. If the cluster does not admit them as the profiler needs
// them, the error is a *Refusal.
func (j *job) admit(ctx context.Context) error {
	var podErr error
	var podStdin bool
	var wg sync.WaitGroup
	wg.Go(func() { podStdin, podErr = j.admitPod(ctx) })
	stdin, err := j.admitJob(ctx)
	wg.Wait()
	switch {
	case err != nil:
		return err
	case podErr != nil:
		return podErr
	}
	j.job.Spec.Template.Spec.Containers[0].Stdin = stdin && podStdin
	return nil
}

// dryRun makes the API server check an object without creating it.
var dryRun = metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}

// admitJob sends the Job in a dry run and reports whether the admitted container has stdin.
func (j *job) admitJob(ctx context.Context) (stdin bool, err error) {
	stdin = j.job.Spec.Template.Spec.Containers[0].Stdin
	admitted, err := j.client.BatchV1().Jobs(j.namespace()).Create(ctx, j.job, dryRun)
	create := access.Permission{Verb: "create", Group: "batch", Resource: "jobs", Namespace: j.namespace()}
	if refused := dryRunError(ctx, j.client, Job, create, err); refused != nil || err != nil {
		return stdin, refused // nil if the answer to the dry run is unknown
	}
	if c := jobChange(j.job, admitted, j.options); c != nil {
		return stdin, c.refusal(Job)
	}
	return findContainer(&admitted.Spec.Template.Spec).Stdin, nil
}

// admitPod does the same with the Job's pod. If the user may not create pods, the error is nil, because
// only the Job controller's attempt shows whether the pod is admitted.
func (j *job) admitPod(ctx context.Context) (stdin bool, err error) {
	pod := &corev1.Pod{ObjectMeta: *j.job.Spec.Template.ObjectMeta.DeepCopy(), Spec: *j.job.Spec.Template.Spec.DeepCopy()}
	pod.Name, stdin = j.job.Name, pod.Spec.Containers[0].Stdin
	admitted, err := j.client.CoreV1().Pods(j.namespace()).Create(ctx, pod, dryRun)
	create := access.Permission{Verb: "create", Resource: "pods", Namespace: j.namespace()}
	refused := dryRunError(ctx, j.client, Job, create, err)
	switch {
	case lacksPermission(refused):
		return stdin, nil
	case refused != nil || err != nil:
		return stdin, refused
	}
	if c := podChange(&pod.Spec, &admitted.Spec, j.options); c != nil {
		return stdin, c.refusal(Job)
	}
	return findContainer(&admitted.Spec).Stdin, nil
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

func (j *job) Launch(ctx context.Context) (*Profiler, error) {
	bounded, cancel := withTimeout(ctx, j.options)
	defer cancel()
	created, err := j.client.BatchV1().Jobs(j.namespace()).Create(bounded, j.job, metav1.CreateOptions{})
	if err != nil {
		if !errors.As(err, new(apierrors.APIStatus)) {
			// The Job may exist: perhaps only the response was lost. Its UID is unknown then, but nobody
			// else can have guessed its name.
			j.cleanUp(ctx, j.job.Name, "")
		}
		return nil, fmt.Errorf("creating job %q: %w", j.job.Name, err)
	}
	if c := jobChange(j.job, created, j.options); c != nil {
		j.cleanUp(ctx, created.Name, created.UID)
		return nil, c.refusal(Job)
	}
	profiler, err := j.waitForProfiler(bounded, created)
	if err != nil {
		j.cleanUp(ctx, created.Name, created.UID)
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
	kept := j.record
	kept.Job, kept.JobUID = created.Name, created.UID
	return newProfiler(j.client, j.target, ref, kept, false), nil
}

// cleanUp deletes the Job, even if ctx has ended, as it has after Ctrl-C.
func (j *job) cleanUp(ctx context.Context, name string, uid types.UID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = deleteJob(ctx, j.client, j.namespace(), name, uid) // on failure, the Job's deadline and time to live remove it
}
