//go:build linux

package profiler

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSocketIsForThisUserOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	l, err := listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	info, err := os.Stat(path)
	if err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := listen(path); err == nil || !strings.Contains(err.Error(), "another profiler") {
		t.Errorf("a second listener: %v", err)
	}
}

func TestSocketOfADeadProfilerIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	dead, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	dead.Close()
	l, err := listen(path)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

func TestRelayCopiesBothWaysAndWaitsForTheSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	served := make(chan error, 1)
	go func() {
		time.Sleep(100 * time.Millisecond)
		l, err := listen(path)
		if err != nil {
			served <- err
			return
		}
		defer l.Close()
		c, err := l.Accept()
		if err != nil {
			served <- err
			return
		}
		defer c.Close()
		heard, err := io.ReadAll(c)
		c.Write(bytes.ToUpper(heard))
		served <- err
	}()
	var out bytes.Buffer
	if err := relay(t.Context(), Streams{In: strings.NewReader("hello"), Out: &out}, path); err != nil {
		t.Fatal(err)
	}
	if err := <-served; err != nil || out.String() != "HELLO" {
		t.Errorf("got %q, %v", &out, err)
	}
}

func TestRelayWithoutAProfiler(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := relay(ctx, Streams{In: strings.NewReader(""), Out: io.Discard}, filepath.Join(t.TempDir(), "socket"))
	if err == nil || !strings.Contains(err.Error(), "no profiler listens in this container") {
		t.Errorf("got %v", err)
	}
}

// In a container whose root file system is read-only, /dev can still be written.
func TestSocketPathsEndInDev(t *testing.T) {
	paths := socketPaths("")
	if last := paths[len(paths)-1]; filepath.Dir(last) != "/dev" {
		t.Errorf("got %q", paths)
	}
}
