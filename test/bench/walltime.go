//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// wallRuns is the number of runs of each way to start a profiler.
const wallRuns = 10

// kubeletPeriod is longer than the time between two looks of the kubelet at all containers (a second).
const kubeletPeriod = 2 * time.Second

// wallTime measures how much longer a user waits than the duration of the profile, with the image
// present on the node: for an ephemeral container, for a Job, and for a profiler that an earlier run
// kept. The first two are compared with containers of the same image that exit at once. All of them
// take turns. Bare containers start in a pod of their own: after a change of a pod the kubelet waits for
// its next look at all containers, up to a second, before it changes the pod again.
func wallTime(ctx context.Context, b *bench) ([]row, error) {
	const kept = "wall-kept"
	if _, err := b.startShop(ctx, kept); err != nil {
		return nil, err
	}
	if _, err := b.beyond(ctx, "--ephemeral", "--keep", "10m", kept); err != nil {
		return nil, err
	}
	times := map[string][]float64{}
	var pod *corev1.Pod
	for i := range wallRuns {
		name := fmt.Sprintf("wall-%d", i/3) // change the pods every few runs, because ephemeral containers accumulate
		bare := "bare-" + name
		if i%3 == 0 {
			var err error
			if pod, err = b.startShop(ctx, name); err != nil {
				return nil, err
			}
			if _, err := b.startShop(ctx, bare); err != nil {
				return nil, err
			}
			time.Sleep(kubeletPeriod)
		}
		for _, way := range []struct {
			name    string
			measure func() (time.Duration, error)
		}{
			{"bare ephemeral", func() (time.Duration, error) { return b.startBareEphemeral(ctx, bare) }},
			{"ephemeral", func() (time.Duration, error) { return b.beyond(ctx, "--ephemeral", name) }},
			{"kept", func() (time.Duration, error) { return b.beyond(ctx, "--ephemeral", kept) }},
			{"bare Job", func() (time.Duration, error) { return b.startBareJob(ctx, pod.Spec.NodeName) }},
			{"Job", func() (time.Duration, error) { return b.beyond(ctx, "--job", name) }},
		} {
			took, err := way.measure()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", way.name, err)
			}
			times[way.name] = append(times[way.name], took.Seconds())
		}
		if i%3 == 2 || i == wallRuns-1 {
			if err := errors.Join(b.remove(ctx, name), b.remove(ctx, bare)); err != nil {
				return nil, err
			}
		}
	}
	of := func(way string) float64 { return median(times[way]) }
	text := func(s string) string { return fmt.Sprintf("%s, median of %d", s, wallRuns) }
	return []row{
		{Measure: text("start of an ephemeral container that exits at once"), Value: of("bare ephemeral"), Unit: "s"},
		{Measure: text("wall time beyond the duration, ephemeral"), Value: of("ephemeral"), Unit: "s"},
		{Measure: "  more than the container's start", Value: of("ephemeral") - of("bare ephemeral"), Unit: "s", Limit: 0.3},
		{Measure: text("start of a Job's pod that exits at once"), Value: of("bare Job"), Unit: "s"},
		{Measure: text("wall time beyond the duration, Job"), Value: of("Job"), Unit: "s"},
		{Measure: "  more than the pod's start", Value: of("Job") - of("bare Job"), Unit: "s", Limit: 0.5},
		{Measure: text("wall time beyond the duration, kept profiler"), Value: of("kept"), Unit: "s", Limit: 0.25},
	}, b.remove(ctx, kept)
}

func (b *bench) startShop(ctx context.Context, name string) (*corev1.Pod, error) {
	return b.start(ctx, name, os.Getenv("PPROF_WORKLOADS_IMAGE"), []string{"/shop", "-pause=5ms"})
}

// beyond profiles for a second and returns how much longer the plugin took.
func (b *bench) beyond(ctx context.Context, args ...string) (time.Duration, error) {
	const duration = time.Second
	took, err := b.profile(ctx, append(args, "-d", duration.String())...)
	return took - duration, err
}

// bareCommand writes one line and exits.
var bareCommand = []string{"/profiler", "version"}

// startBareEphemeral adds an ephemeral container to a pod and returns the time until it ran. The
// container's status is too coarse: the kubelet reports it up to a second late, in whole seconds.
func (b *bench) startBareEphemeral(ctx context.Context, pod string) (time.Duration, error) {
	name := fmt.Sprintf("bare-%d", time.Now().UnixNano())
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"ephemeralContainers": []any{map[string]any{
		"name": name, "image": os.Getenv("KUBECTL_PPROF_IMAGE"), "imagePullPolicy": corev1.PullIfNotPresent,
		"command": bareCommand, "targetContainerName": "c0",
	}}}})
	if err != nil {
		return 0, err
	}
	began := time.Now()
	_, err = b.client.CoreV1().Pods(b.namespace).Patch(
		ctx, pod, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "ephemeralcontainers")
	if err != nil {
		return 0, err
	}
	ran, err := b.firstLine(ctx, pod, name)
	return ran.Sub(began), err
}

// startBareJob starts a Job on a node and returns the time until its pod ran.
func (b *bench) startBareJob(ctx context.Context, node string) (time.Duration, error) {
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "bare-"},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			NodeName: node, RestartPolicy: corev1.RestartPolicyNever,
			Containers: []corev1.Container{{
				Name: "bare", Image: os.Getenv("KUBECTL_PPROF_IMAGE"), ImagePullPolicy: corev1.PullIfNotPresent, Command: bareCommand,
			}},
		}}},
	}
	began := time.Now()
	job, err := b.client.BatchV1().Jobs(b.namespace).Create(ctx, job, metav1.CreateOptions{})
	if err != nil {
		return 0, err
	}
	var pod string
	if err := b.wait(ctx, "the pod of a Job", func() error {
		ofJob := metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + job.Name}
		pods, err := b.client.CoreV1().Pods(b.namespace).List(ctx, ofJob)
		if err == nil && len(pods.Items) == 0 {
			err = fmt.Errorf("there is none")
		}
		if err == nil {
			pod = pods.Items[0].Name
		}
		return err
	}); err != nil {
		return 0, err
	}
	ran, err := b.firstLine(ctx, pod, "bare")
	if err != nil {
		return 0, err
	}
	withPod := metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)}
	return ran.Sub(began), b.client.BatchV1().Jobs(b.namespace).Delete(ctx, job.Name, withPod)
}

// firstLine waits for the first line of a container's log and returns when it was written, by the
// node's clock.
func (b *bench) firstLine(ctx context.Context, pod, container string) (at time.Time, err error) {
	log := b.client.CoreV1().Pods(b.namespace).GetLogs(pod, &corev1.PodLogOptions{Container: container, Timestamps: true})
	err = b.wait(ctx, "the log of container "+container, func() error {
		text, err := log.DoRaw(ctx)
		if err != nil {
			return err
		}
		stamp, _, _ := strings.Cut(string(text), " ")
		at, err = time.Parse(time.RFC3339Nano, stamp)
		return err
	})
	return at, err
}
