//go:build linux

package profiler

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const socketName = "kubectl-pprof.sock"

// socketPaths are tried in turn: the file system of the image may be mounted read-only. All are
// the container's own; /dev/shm, which is always writable, is shared with the whole pod.
func socketPaths(path string) []string {
	if path != "" {
		return []string{path}
	}
	return []string{filepath.Join("/run", socketName), filepath.Join("/tmp", socketName)}
}

// listen makes the socket, open to this user only.
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
		return nil, fmt.Errorf("another profiler listens on %s already", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	old := syscall.Umask(0o177) // from the start on: a chmod would come a moment too late
	defer syscall.Umask(old)
	return net.Listen("unix", path)
}

const (
	socketWait = 10 * time.Second // for a profiler that has just been started
	socketPoll = 20 * time.Millisecond
)

// dial connects to the profiler, and waits for one that does not listen yet.
func dial(ctx context.Context, path string) (*net.UnixConn, error) {
	ctx, cancel := context.WithTimeout(ctx, socketWait)
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
		case <-time.After(socketPoll):
		}
	}
}
