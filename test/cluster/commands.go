//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
)

const usage = `usage: cluster COMMAND

  up              start the cluster and print the path of its kubeconfig
  down            stop it and remove everything that belongs to it
  status          show which of its processes run and whether the node is ready
  load IMAGE.tar  import an image, so that pods can use it without a registry

The kubeconfig is ` + stateDir + `/admin.kubeconfig, the logs are beside it in logs/.
`

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 1 && args[0] == "up":
		return exclusively(ctx, up)
	case len(args) == 1 && args[0] == "down":
		return exclusively(ctx, down)
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

func status(ctx context.Context) error {
	for _, c := range components("") {
		state := "stopped"
		if pid := c.pid(); pid != 0 {
			state = fmt.Sprintf("running, PID %d", pid)
		}
		fmt.Printf("%-24s %s\n", c.name, state)
	}
	if err := nodeReady(ctx); err != nil {
		fmt.Printf("%-24s %s\n", "node", err)
		return errors.New("the cluster is not up; start it with `up`")
	}
	fmt.Printf("%-24s ready\n%-24s %s\n", "node", "kubeconfig", kubeconfigPath)
	return nil
}
