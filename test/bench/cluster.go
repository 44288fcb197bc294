//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// bench is a namespace in the cluster that is used by one measure.
type bench struct {
	client    *kubernetes.Clientset
	namespace string
}

func newBench(ctx context.Context) (*bench, error) {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	ns, err := client.CoreV1().Namespaces().Create(ctx,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "bench-"}}, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	b := &bench{client, ns.Name}
	return b, b.wait(ctx, "the default service account", func() error {
		_, err := client.CoreV1().ServiceAccounts(ns.Name).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

func (b *bench) close() {
	b.client.CoreV1().Namespaces().Delete(context.Background(), b.namespace, metav1.DeleteOptions{})
}

// wait polls for up to a minute until ready returns no error.
func (b *bench) wait(ctx context.Context, what string, ready func() error) error {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		err := ready()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
	}
}

// start runs a pod whose containers have the given commands, and waits until they are ready.
func (b *bench) start(ctx context.Context, name, image string, commands ...[]string) (*corev1.Pod, error) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{TerminationGracePeriodSeconds: new(int64)}}
	for i, c := range commands {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{
			Name: fmt.Sprintf("c%d", i), Image: image, ImagePullPolicy: corev1.PullIfNotPresent, Command: c,
		})
	}
	pods := b.client.CoreV1().Pods(b.namespace)
	if _, err := pods.Create(ctx, pod, metav1.CreateOptions{}); err != nil {
		return nil, err
	}
	return pod, b.wait(ctx, "pod "+name, func() (err error) {
		if pod, err = pods.Get(ctx, name, metav1.GetOptions{}); err != nil {
			return err
		}
		if !slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		}) {
			return fmt.Errorf("phase %s", pod.Status.Phase)
		}
		return nil
	})
}

func (b *bench) remove(ctx context.Context, name string) error {
	return b.client.CoreV1().Pods(b.namespace).Delete(ctx, name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)})
}

// plugin starts kubectl pprof. Its output is shown only when it fails.
func (b *bench) plugin(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, os.Getenv("PPROF_PLUGIN"), append([]string{"-n", b.namespace, "-o", "-", "-f", "pprof"}, args...)...)
}

// profile runs the plugin and returns how long it took.
func (b *bench) profile(ctx context.Context, args ...string) (time.Duration, error) {
	begin := time.Now()
	cmd := b.plugin(ctx, args...)
	if _, err := cmd.Output(); err != nil {
		return 0, failed(cmd, err)
	}
	return time.Since(begin), nil
}

func failed(cmd *exec.Cmd, err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("%v: %w: %s", cmd.Args, err, exit.Stderr)
	}
	return fmt.Errorf("%v: %w", cmd.Args, err)
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
