// Command cluster runs a real one-node Kubernetes on this machine for tests and the demo: etcd,
// kube-apiserver, kube-controller-manager, kube-scheduler, kubelet and containerd as plain
// processes, with RBAC and PodSecurity admission on. Its entry points are this program's
// sub-commands. It does not depend on profiling.
//
// The state of a cluster is two directories, /var/lib/kubectl-pprof-cluster and
// /run/kubectl-pprof-cluster; the admin's kubeconfig is admin.kubeconfig in the first. There is no
// kube-proxy and no DNS: pods reach each other by their addresses, not through services.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}
