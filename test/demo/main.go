// Command demo shows the main job on a real cluster: it deploys a small HTTP service that knows
// nothing of profiling, profiles it through an ephemeral container and then through a Job, and
// ends with the flame graphs' paths. `make demo` runs it with the environment of test/with-cluster.
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
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"
)

//go:embed shop.yaml
var manifest string

const namespace = "demo"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := demo(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func demo(ctx context.Context) error {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	fmt.Println("Deploying the shop: stripped, FROM scratch, non-root, no /debug/pprof …")
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

// deploy applies the manifest and waits until one pod is available.
func deploy(ctx context.Context, client kubernetes.Interface) error {
	var want appsv1.Deployment
	text := strings.Replace(manifest, "WORKLOADS_IMAGE", os.Getenv("PPROF_WORKLOADS_IMAGE"), 1)
	if err := yaml.UnmarshalStrict([]byte(text), &want); err != nil {
		return err
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if _, err := client.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
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
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		d, err := deployments.Get(ctx, want.Name, metav1.GetOptions{})
		if err == nil && d.Status.ObservedGeneration >= d.Generation && d.Status.AvailableReplicas > 0 {
			return nil
		}
		if ctx.Err() != nil {
			return errors.Join(fmt.Errorf("deployment %s/%s did not become available: %+v", namespace, want.Name, d.Status), err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}
