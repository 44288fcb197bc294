// Command cluster runs a real one-node Kubernetes on this machine for tests and the demo: etcd,
// kube-apiserver, kube-controller-manager, kube-scheduler, kubelet and containerd as plain
// processes, with RBAC and PodSecurity admission on. Its one entry point is this program's
// sub-commands; it knows nothing of profiles.
//
// The state of a cluster is two directories, /var/lib/kubectl-pprof-cluster and
// /run/kubectl-pprof-cluster; the admin's kubeconfig is admin.kubeconfig in the first.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage: cluster COMMAND

  up              start the cluster and print the path of its kubeconfig
  down            stop it and remove everything that belongs to it
  status          say which of its processes run and whether the node is ready
  load IMAGE.tar  import an image, so that pods can use it without a registry
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 1 && args[0] == "up":
		return up(ctx)
	case len(args) == 1 && args[0] == "down":
		return down()
	case len(args) == 1 && args[0] == "status":
		return status(ctx)
	case len(args) == 2 && args[0] == "load":
		return load(ctx, args[1])
	case len(args) == 1 && (args[0] == "-h" || args[0] == "--help" || args[0] == "help"):
		fmt.Print(usage)
		return nil
	}
	fmt.Fprint(os.Stderr, usage)
	return fmt.Errorf("one of up, down, status and load IMAGE.tar is needed, got %q", args)
}
