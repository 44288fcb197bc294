//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// cacheDir returns the directory of the built control-plane program, which alone is kept when a
// cluster is removed.
func cacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache directory for the control-plane program: %w; set HOME or XDG_CACHE_HOME", err)
	}
	dir = filepath.Join(dir, "kubectl-pprof-cluster")
	return dir, os.MkdirAll(dir, 0o755)
}

// exclusively runs a command that changes the cluster, after any other such command has ended: two
// concurrent `up` would stop each other's processes.
func exclusively(ctx context.Context, command func(context.Context) error) error {
	dir, err := cacheDir()
	if err != nil {
		return err
	}
	lock, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer lock.Close() // which unlocks
	for told := false; ; told = true {
		err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return command(ctx)
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("lock %s: %w", dir, err)
		}
		if !told {
			fmt.Fprintln(os.Stderr, "another `up` or `down` is at work, waiting for it")
		}
		select {
		case <-ctx.Done():
			return errors.New("interrupted")
		case <-time.After(200 * time.Millisecond):
		}
	}
}
