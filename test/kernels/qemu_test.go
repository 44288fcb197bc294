//go:build linux

package kernels

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// result has the fields of guest.Result, which the guest prints on the console after guest.Marker.
type result struct {
	Kernel, UserReads string // see guest.Result
	Error             string
	Samples           int64
	Lost              uint64
	Stacks            map[string]int64
	BrokenAtStart     int64
	PIDs              []int64
	Held              int64
	Waits             map[string]float64
	Faults            map[string]int64

	Goroutines map[string]int64

	ForbiddenHeap    string
	ForbiddenSamples int64
}

const (
	started = "STARTED "
	marker  = "RESULT "
)

// machines holds qemu's arguments for each architecture. They do not use KVM.
var machines = map[string][]string{
	// QEMU 7.2's cmpxchg16b sometimes corrupts the flags, and the memory allocator of Linux
	// 6.12, which uses it, then panics.
	"amd64": {"qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max,-cx16"},
	"arm64": {"qemu-system-aarch64", "-accel", "tcg,thread=multi", "-machine", "virt", "-cpu", "cortex-a72"},
}

var consoles = map[string]string{"amd64": "ttyS0", "arm64": "ttyAMA0"}

// boots is how often a kernel is booted at most. qemu's emulation of several CPUs sometimes breaks
// an atomic instruction, and the kernel then panics or hangs before our program runs.
const boots = 3

// Limits on one boot, which takes up to 3 minutes on an idle machine, 10 s of them until our program runs.
const (
	startLimit = 3 * time.Minute
	bootLimit  = 12 * time.Minute
)

// boot runs a kernel until the guest powers off, and returns the result that it printed on the console.
func boot(t *testing.T, arch, kernel, initramfs, arguments string) result {
	t.Helper()
	console := ""
	for range boots {
		var r *result
		if r, console = bootOnce(t, arch, kernel, initramfs, arguments); r != nil {
			return *r
		}
		if strings.Contains(console, started) && !strings.Contains(console, "Kernel panic") && !strings.Contains(console, "Oops: ") {
			break
		}
	}
	t.Fatalf("%s gave no result; its console ends with:\n%s", kernel, console[max(0, len(console)-3000):])
	return result{}
}

func bootOnce(t *testing.T, arch, kernel, initramfs, arguments string) (*result, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bootLimit)
	defer cancel()
	args := append(machines[arch][1:len(machines[arch]):len(machines[arch])],
		"-smp", "2", "-m", "1024", "-nographic", "-no-reboot", "-net", "none", "-kernel", kernel, "-initrd", initramfs,
		"-append", "console="+consoles[arch]+" quiet panic=-1 "+arguments)
	cmd := exec.CommandContext(ctx, machines[arch][0], args...)
	var console lockedBuffer
	cmd.Stdout, cmd.Stderr = &console, &console
	defer time.AfterFunc(startLimit, func() {
		if !strings.Contains(console.String(), started) {
			cancel()
		}
	}).Stop()
	if err := cmd.Run(); err != nil {
		fmt.Fprint(&console, err)
	}
	for line := range strings.Lines(console.String()) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), marker); ok {
			r := new(result)
			if err := json.Unmarshal([]byte(text), r); err != nil {
				t.Fatalf("%v in %.300q", err, text)
			}
			return r, console.String()
		}
	}
	return nil, console.String()
}

// lockedBuffer is a bytes.Buffer that several goroutines may use.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
