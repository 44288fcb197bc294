//go:build linux

package profiler

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

func TestWatchMemoryStopsAtItsBound(t *testing.T) {
	readings := []int64{10 << 20, 90 << 20, 20 << 20, 90 << 20, 85 << 20} // the second is garbage, which is freed
	used := func() (int64, error) {
		n := readings[0]
		readings = readings[1:]
		return n, nil
	}
	err := watchMemory(t.Context(), maxMemory, used)
	if !errors.Is(err, errMemory) || !strings.Contains(err.Error(), "85 MiB, at most 80 MiB") {
		t.Errorf("got %v", err)
	}
	if len(readings) != 0 {
		t.Errorf("stopped with %d readings left", len(readings))
	}
}

func TestWatchMemoryEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*memoryCheckInterval)
	defer cancel()
	if err := watchMemory(ctx, maxMemory, anonymousMemory); err != nil {
		t.Error(err)
	}
}

// A profiler at rest checks its memory rarely. One that allocates collects garbage, and checks at once.
func TestWatchMemoryChecksWhenMemoryGrows(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	checks := make(chan struct{}, 1000)
	ended := make(chan error, 1)
	go func() {
		ended <- watchMemory(ctx, maxMemory, func() (int64, error) {
			checks <- struct{}{}
			return 0, nil
		})
	}()
	idle := func() bool {
		select {
		case <-checks:
			return false
		case <-time.After(idleCheckInterval / 2):
			return true
		}
	}
	eventually(t, "the checks to become rare", func() error {
		if !idle() {
			return errors.New("the memory is still checked often")
		}
		return nil
	})
	eventually(t, "checks after a garbage collection", func() error {
		runtime.GC()
		rare := time.After(2 * idleCheckInterval) // three rare checks take longer
		for range 3 {
			select {
			case <-checks:
			case <-rare:
				return errors.New("the memory is checked rarely")
			}
		}
		return nil
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestMemoryBound(t *testing.T) {
	for free, want := range map[int64]int64{0: 32 << 20, 50 << 20: 50 << 20, 1 << 40: maxMemory} {
		if got := memoryBound(free); got != want {
			t.Errorf("with %d MiB free the bound is %d MiB, want %d", free>>20, got>>20, want>>20)
		}
	}
}

// boundVariable makes TestServeEndsAtItsMemoryBound serve in a process of its own, on the socket that it names.
const boundVariable = "PROFILER_TEST_BOUND"

// A profiler that has exceeded its bound does not wait for what takes the memory, here a sampler
// that is being prepared.
func TestServeEndsAtItsMemoryBound(t *testing.T) {
	if socket := os.Getenv(boundVariable); socket != "" {
		loading := make(chan struct{})
		o := serveOptions{
			containerID: "x", deadline: time.Now().Add(time.Hour).Format(time.RFC3339),
			socket: socket, prepare: []string{api.CPU.Path},
			newSampler: func(api.ProfileType, capture.Options) (capture.Sampler, error) {
				close(loading)
				select {}
			},
			usedMemory: func() (int64, error) {
				<-loading
				return maxMemory + 1, nil
			},
		}
		err := o.run(t.Context(), Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard})
		os.Stdout.WriteString(err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestServeEndsAtItsMemoryBound$")
	cmd.Env = append(os.Environ(), boundVariable+"="+filepath.Join(t.TempDir(), "socket"))
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), errMemory.Error()) {
		t.Errorf("%v, %v\n%.2000s", err, ctx.Err(), out)
	}
}

// allocateVariable makes TestAllocationsBeyondTheLimitFail allocate in a process of its own.
const allocateVariable = "PROFILER_TEST_ALLOCATE"

// One allocation of a size that a target has chosen ends the profiler, before the memory is used. Up to the bound there is
// room.
func TestAllocationsBeyondTheLimitFail(t *testing.T) {
	switch os.Getenv(allocateVariable) {
	case "":
	case "limited":
		if err := limitData(); err != nil {
			t.Fatal(err)
		}
		allocate(maxMemory)
		os.Stdout.WriteString("room up to the bound\n")
		allocate(3 << 30)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestAllocationsBeyondTheLimitFail$")
	cmd.Env = append(os.Environ(), allocateVariable+"=limited")
	began := time.Now()
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "room up to the bound") || !strings.Contains(string(out), "out of memory") {
		t.Errorf("after %v: %v\n%.2000s", time.Since(began), err, out)
	}
}

// allocate uses n bytes.
func allocate(n int) {
	b := make([]byte, n)
	for i := 0; i < len(b); i += os.Getpagesize() {
		b[i] = 1
	}
}
