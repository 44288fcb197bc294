//go:build linux

package profiler

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

const socketName = "kubectl-pprof.sock"

// listen creates the socket, which only this user can open. An empty path means the default ones.
func listen(path string) (net.Listener, error) {
	var firstErr error
	for _, p := range socketPaths(path) {
		l, err := listenAt(p)
		if err == nil {
			return l, nil
		}
		if firstErr == nil {
			firstErr = err
		}
	}
	return nil, firstErr
}

func listenAt(path string) (net.Listener, error) {
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, fmt.Errorf("another profiler already listens on %s", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	old := syscall.Umask(0o177) // a later chmod would leave the socket open to others for a moment
	defer syscall.Umask(old)
	return net.Listen("unix", path)
}

const (
	dialTimeout  = 10 * time.Second // time for a profiler that has just been started to listen
	dialInterval = 20 * time.Millisecond
)

// dial connects to the profiler and waits until it listens. An empty path means the default ones.
func dial(ctx context.Context, path string) (*net.UnixConn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	for {
		var err error
		for _, p := range socketPaths(path) {
			var c net.Conn
			if c, err = net.Dial("unix", p); err == nil {
				return c.(*net.UnixConn), nil
			}
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("no profiler listens in this container: %w", err)
		case <-time.After(dialInterval):
		}
	}
}

// socketPaths returns the paths to try in turn, because the file system of the image may be mounted
// read-only. All are private to the container. /dev is a tmpfs of its own, which stays writable
// (runc, libcontainer/rootfs_linux.go); /dev/shm as well, but the whole pod shares it.
func socketPaths(path string) []string {
	if path != "" {
		return []string{path}
	}
	return []string{"/run/" + socketName, "/tmp/" + socketName, "/dev/" + socketName}
}
