// Command realprograms profiles third-party programs in the test cluster. For each it prints the share
// of complete stacks and the hottest functions; for etcd, kube-apiserver and kubelet also how all types
// of profile compare with the programs' own. It writes the result to out/realprograms.json. `make
// realprograms` runs it. Arguments select programs by name.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-pprof/kubectl-pprof/test/realprograms/programs"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "realprograms:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, names []string) error {
	if os.Getenv("PPROF_TEST_CLUSTER") == "" {
		return errors.New("the programs' image can be loaded only into the test cluster of this machine: run without KUBECONFIG")
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	image, err := programs.Load(ctx, client)
	if err != nil {
		return err
	}
	ns, err := newNamespace(ctx, client)
	if err != nil {
		return err
	}
	defer client.CoreV1().Namespaces().Delete(context.WithoutCancel(ctx), ns, metav1.DeleteOptions{})

	runner := &programs.Runner{Client: client, Namespace: ns, Plugin: os.Getenv("PPROF_PLUGIN"), Image: image}
	var reports []*programs.Report
	var failed error
	for _, p := range programs.All {
		if len(names) > 0 && !slices.Contains(names, p.Name) {
			continue
		}
		r, err := runner.Run(ctx, p)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		reports = append(reports, r)
	}
	if len(names) == 0 || slices.Contains(names, programs.KubeletName) {
		r, err := runner.Kubelet(ctx)
		if err != nil {
			failed = errors.Join(failed, err)
		} else {
			reports = append(reports, r)
		}
	}
	text, err := json.MarshalIndent(reports, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join("out", "realprograms.json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	return errors.Join(failed, show(reports))
}

// newNamespace creates a namespace and waits until pods can be created in it.
func newNamespace(ctx context.Context, client kubernetes.Interface) (string, error) {
	ns, err := client.CoreV1().Namespaces().Create(ctx,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "realprograms-"}}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		_, err := client.CoreV1().ServiceAccounts(ns.Name).Get(ctx, "default", metav1.GetOptions{})
		if err == nil {
			return ns.Name, nil
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return "", fmt.Errorf("waiting for the default service account: %w", err)
		}
	}
}

// sizes returns the sizes of pictures on one line.
func sizes(pictures []programs.Picture) string {
	var all []string
	for _, p := range pictures {
		all = append(all, fmt.Sprintf("%s %d kB", p.Format, p.Bytes/1000))
	}
	return strings.Join(all, ", ")
}

// show prints the table and below it the programs' shortcomings. It returns an error if there are any.
func show(reports []*programs.Report) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "program\tsamples\tcomplete\tfrom root\tframes named\tpictures\thottest functions by themselves")
	for _, r := range reports {
		fmt.Fprintf(w, "%s\t%d\t%.1f %%\t%.1f %%\t%.1f %%\t%s\t%s\n", r.Program, r.Samples, 100*r.Complete, 100*r.Rooted, 100*r.Named, sizes(r.Pictures), programs.List(r.Top))
	}
	w.Flush()
	var short []string
	for _, r := range reports {
		for _, s := range r.Shortcomings() {
			short = append(short, r.Program+": "+s)
		}
		for _, n := range r.Notes {
			fmt.Printf("%s: %s\n", r.Program, n)
		}
		for _, c := range r.Own {
			fmt.Printf("%s: %s\n", r.Program, c)
		}
	}
	if len(short) > 0 {
		return fmt.Errorf("short of what is asked:\n  %s", strings.Join(short, "\n  "))
	}
	return nil
}
