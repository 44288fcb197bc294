//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// up starts the cluster and prints the kubeconfig's path as the only line on stdout.
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
	if !asWanted(all) || nodeReady(ctx) != nil {
		if err := restart(ctx, all); err != nil {
			return err
		}
	}
	fmt.Println(kubeconfigPath)
	return nil
}

// restart removes what an older or killed cluster left behind and starts a new one.
func restart(ctx context.Context, all []component) error {
	if err := down(ctx); err != nil {
		return err
	}
	if err := checkPorts(all); err != nil {
		return err
	}
	begin := time.Now()
	if err := start(ctx, all); err != nil {
		if ctx.Err() != nil {
			return errors.Join(errors.New("interrupted"), down(context.WithoutCancel(ctx)))
		}
		return errors.Join(err, stopAll()) // the logs stay, because the message names them
	}
	fmt.Fprintf(os.Stderr, "cluster ready after %v\n", time.Since(begin).Round(100*time.Millisecond))
	return nil
}

// startLimit bounds each condition that up waits for. It takes seconds on an idle machine, a minute or
// two on an emulated processor.
const startLimit = 5 * time.Minute

func start(ctx context.Context, all []component) error {
	if err := writeConfig(); err != nil {
		return err
	}
	if err := leaveRootCgroup(); err != nil {
		return err
	}
	for _, c := range all {
		if c.name == "kube-controller-manager" { // this and the following components need an API server
			if err := wait(ctx, all, startLimit, "the API server", apiserverReady); err != nil {
				return err
			}
		}
		if err := c.start(); err != nil {
			return err
		}
	}
	if err := wait(ctx, all, startLimit, "containerd", loadPauseImage); err != nil {
		return err
	}
	if err := wait(ctx, all, startLimit, "the node", nodeReady); err != nil {
		return err
	}
	return os.WriteFile(fingerprintFile, []byte(fingerprint(all)), 0o644)
}

var fingerprintFile = filepath.Join(stateDir, "fingerprint")

// fingerprint returns a hash of the command lines and configuration of all components.
func fingerprint(all []component) string {
	h := sha256.New()
	for _, c := range all {
		fmt.Fprintln(h, c.name, strings.Join(c.command, "\x00"))
	}
	for _, f := range configFiles() {
		fmt.Fprintln(h, f.name, string(f.content))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// asWanted reports whether all components run as this version of the program would start them.
func asWanted(all []component) bool {
	was, err := os.ReadFile(fingerprintFile)
	return err == nil && string(was) == fingerprint(all) &&
		!slices.ContainsFunc(all, func(c component) bool { return c.pid() == 0 })
}

// wait polls until ready returns no error. It returns early when a component has ended.
func wait(ctx context.Context, all []component, limit time.Duration, what string, ready func(context.Context) error) error {
	deadline := time.Now().Add(limit)
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		for _, c := range all {
			if died := c.died(); died != nil {
				return died
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
