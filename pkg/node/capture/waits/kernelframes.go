//go:build linux

package waits

import (
	"bufio"
	"bytes"
	"os"
	"strconv"
	"sync"
)

// A kernel stack recorded at a context switch begins with the BPF program, the tracepoint and __schedule. These frames are
// the same in every wait. Their number depends on the kernel.

// maxTraceFrames bounds the frames above __schedule; kernels have 3 or 4.
const maxTraceFrames = 8

// scheduler returns the address of the kernel's __schedule and of the symbol after it, or zeros if the kernel hides
// addresses (sysctl kernel.kptr_restrict). It reads the 200,000 lines of /proc/kallsyms once.
var scheduler = sync.OnceValues(func() (start, end uint64) {
	f, err := os.Open("/proc/kallsyms")
	if err != nil {
		return 0, 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := bytes.Fields(lines.Bytes()) // address, type, name
		if len(fields) < 3 {
			continue
		}
		address, err := strconv.ParseUint(string(fields[0]), 16, 64)
		switch {
		case err != nil || address == 0:
		case start == 0 && string(fields[2]) == "__schedule":
			start = address
		case start != 0 && address > start:
			return start, address
		}
	}
	return 0, 0
})

// trimTraceFrames removes the leaf frames of a kernel stack up to and including __schedule, which is at start to end.
func trimTraceFrames(stack []uint64, start, end uint64) []uint64 {
	for i, address := range stack[:min(len(stack), maxTraceFrames)] {
		if start < address && address <= end { // a return address may be the address after the function
			return stack[i+1:]
		}
	}
	return stack
}
