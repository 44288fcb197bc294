// Command demo shows what the plugin is for on a real cluster: it deploys a small HTTP service
// without any support for profiling, profiles it through an ephemeral container and then through a
// Job, prints the paths of the flame graphs, and removes the service. `make demo` runs it with the
// environment of test/with-cluster.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"
)

//go:embed shop.yaml
var manifest string

// namespace and deployment are the names of what the demo deploys; the deployment's is the one in
// shop.yaml.
const (
	namespace  = "demo"
	deployment = "shop"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := demo(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func demo(ctx context.Context) (err error) {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	fmt.Println("Deploying the shop: stripped, FROM scratch, non-root, no /debug/pprof …")
	created, err := createNamespace(ctx, client)
	if err != nil {
		return err
	}
	defer func() {
		// Interrupting the demo must not leave the service running.
		err = errors.Join(err, remove(context.WithoutCancel(ctx), client, created))
	}()
	if err := deploy(ctx, client); err != nil {
		return err
	}

	out := filepath.Join("out", "demo")
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"--ephemeral", "-n", namespace, "deploy/shop", "-d", "10s", "-o", filepath.Join(out, "shop-ephemeral.svg")},
		{"--job", "-n", namespace, "deploy/shop", "-d", "10s", "-o", filepath.Join(out, "shop-job.svg")},
	} {
		if err := pprof(ctx, args); err != nil {
			return err
		}
	}
	files, err := filepath.Glob(filepath.Join(out, "*"))
	if err != nil || len(files) != 2 {
		return fmt.Errorf("expected two flame graphs in %s, found %v (%v)", out, files, err)
	}
	fmt.Println("\nFlame graphs:")
	for _, f := range files {
		abs, err := filepath.Abs(f)
		if err != nil {
			return err
		}
		fmt.Println(" ", abs)
	}
	return nil
}

// pprof runs the plugin as its users do, through kubectl where there is one.
func pprof(ctx context.Context, args []string) error {
	command := append([]string{os.Getenv("PPROF_PLUGIN")}, args...)
	if kubectl, err := exec.LookPath("kubectl"); err == nil {
		command = append([]string{kubectl, "pprof"}, args...)
	}
	fmt.Printf("\n$ kubectl pprof %s\n", strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

// createNamespace reports whether it created the namespace, which may exist already in a cluster of
// the user's.
func createNamespace(ctx context.Context, client kubernetes.Interface) (created bool, err error) {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	_, err = client.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return false, nil
	}
	return err == nil, err
}

// remove deletes the deployment, and the namespace if the demo created it, and waits until its pods
// are gone.
func remove(ctx context.Context, client kubernetes.Interface, wholeNamespace bool) error {
	background := metav1.DeletePropagationBackground
	options := metav1.DeleteOptions{PropagationPolicy: &background}
	err := client.AppsV1().Deployments(namespace).Delete(ctx, deployment, options)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("the demo's load still runs, stop it with `kubectl -n %s delete deployment %s`: %w", namespace, deployment, err)
	}
	gone := func(ctx context.Context) (bool, error) {
		pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + deployment})
		return err == nil && len(pods.Items) == 0, nil
	}
	if wholeNamespace {
		if err := client.CoreV1().Namespaces().Delete(ctx, namespace, options); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		gone = func(ctx context.Context) (bool, error) { // or the next demo could not create it
			_, err := client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
			return apierrors.IsNotFound(err), nil
		}
	}
	if err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, time.Minute, true, gone); err != nil {
		return fmt.Errorf("the demo's load is deleted, but its pods or its namespace %s are not gone after a minute: %w", namespace, err)
	}
	fmt.Println("\nRemoved the shop.")
	if os.Getenv("PPROF_TEST_CLUSTER") != "" {
		fmt.Println("The test cluster still runs, for the next demo or test; `make cluster-down` stops it.")
	}
	return nil
}

// deploy applies the manifest and waits until one pod is available.
func deploy(ctx context.Context, client kubernetes.Interface) error {
	var want appsv1.Deployment
	text := strings.Replace(manifest, "WORKLOADS_IMAGE", os.Getenv("PPROF_WORKLOADS_IMAGE"), 1)
	if err := yaml.UnmarshalStrict([]byte(text), &want); err != nil {
		return err
	}
	deployments := client.AppsV1().Deployments(namespace)
	_, err := deployments.Create(ctx, &want, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		_, err = deployments.Update(ctx, &want, metav1.UpdateOptions{})
	}
	if err != nil {
		return err
	}
	last := &want
	var lastErr error
	err = wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, 2*time.Minute, true, func(ctx context.Context) (bool, error) {
		last, lastErr = deployments.Get(ctx, deployment, metav1.GetOptions{})
		return lastErr == nil && last.Status.ObservedGeneration >= last.Generation && last.Status.AvailableReplicas > 0, nil
	})
	if err != nil {
		return errors.Join(fmt.Errorf("deployment %s/%s did not become available: %w; its status is %+v", namespace, deployment, err, last.Status), lastErr)
	}
	return nil
}
