package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
)

// neededBytes is what the built program, images and etcd take on the disk, with room to spare.
const neededBytes = 1 << 30

func up(ctx context.Context) error {
	if err := checkMachine(); err != nil {
		return err
	}
	if err := installTools(ctx); err != nil {
		return err
	}
	program, err := controlplane(ctx)
	if err != nil {
		return err
	}
	all := components(program)
	if running(all) == len(all) && nodeReady(ctx) == nil {
		fmt.Println(kubeconfigPath)
		return nil
	}
	if err := down(); err != nil { // what a killed cluster left behind would stand in the way
		return err
	}
	if err := writeConfig(); err != nil {
		return err
	}
	begin := time.Now()
	for _, c := range all {
		if c.name == "kube-controller-manager" { // it and the rest want an API server
			if err := wait(ctx, all, 60*time.Second, "the API server", apiserverReady); err != nil {
				return err
			}
		}
		if err := c.start(); err != nil {
			return errors.Join(err, down())
		}
	}
	if err := wait(ctx, all, 20*time.Second, "containerd", loadPauseImage); err != nil {
		return err
	}
	if err := wait(ctx, all, 60*time.Second, "the node", nodeReady); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "cluster ready after %v\n", time.Since(begin).Round(100*time.Millisecond))
	fmt.Println(kubeconfigPath)
	return nil
}

func checkMachine() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("the test cluster needs Linux, this is %s; set KUBECONFIG to use another cluster", runtime.GOOS)
	}
	if os.Geteuid() != 0 {
		return errors.New("the test cluster runs containerd and a kubelet, so it must be started as root; set KUBECONFIG to use another cluster")
	}
	if err := os.MkdirAll(stateDir, 0o755); err != nil {
		return err
	}
	var s syscall.Statfs_t
	if err := syscall.Statfs(stateDir, &s); err != nil {
		return fmt.Errorf("%s: %w", stateDir, err)
	}
	if free := s.Bavail * uint64(s.Bsize); free < neededBytes {
		return fmt.Errorf("the disk of %s has %d MB free, the cluster needs %d MB; make room and try again", stateDir, free>>20, neededBytes>>20)
	}
	return nil
}

func running(all []component) int {
	n := 0
	for _, c := range all {
		if c.pid() != 0 {
			n++
		}
	}
	return n
}

// wait polls until ready gives no error; it ends early when a component has died.
func wait(ctx context.Context, all []component, limit time.Duration, what string, ready func(context.Context) error) error {
	deadline := time.Now().Add(limit)
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		for _, c := range all {
			if _, missing := os.Stat(c.pidFile()); missing == nil {
				if died := c.died(); died != nil {
					return died
				}
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is not ready after %v: %w; logs are in %s/logs", what, limit, err, stateDir)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
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
