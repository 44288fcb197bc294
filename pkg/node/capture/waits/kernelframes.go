//go:build linux

package waits

import (
	"bufio"
	"bytes"
	"os"
	"strconv"
	"sync"
)

// A kernel stack taken at a switch begins with what took it: our program, the tracepoint, and then __schedule, which
// no wait is told from another by. How many frames these are differs between kernels.

// maxTraceFrames is above what was seen: 3 or 4.
const maxTraceFrames = 8

// scheduler is where the kernel's __schedule begins, and the function after it; zeros if the kernel hides that
// (sysctl kernel.kptr_restrict). It reads 200,000 lines, once.
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

// withoutTracing cuts a kernel stack, leaf first, above what called the scheduler.
func withoutTracing(stack []uint64, start, end uint64) []uint64 {
	for i, address := range stack[:min(len(stack), maxTraceFrames)] {
		if start < address && address <= end { // a return address: one past the call
			return stack[i+1:]
		}
	}
	return stack
}
