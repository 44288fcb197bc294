//go:build linux

package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
)

// startThreads starts 30,000 threads that sleep, or as many as leave the node 4,096 process IDs.
func startThreads() (uintptr, error) {
	n := 30000
	if text, err := os.ReadFile("/proc/sys/kernel/pid_max"); err == nil {
		var limit int
		if _, err := fmt.Sscan(string(text), &limit); err == nil {
			n = min(n, limit-4096)
		}
	}
	debug.SetMaxThreads(n + 1000)
	var started sync.WaitGroup
	for range n {
		started.Add(1)
		go func() {
			runtime.LockOSThread()
			started.Done()
			for {
				forever := syscall.Timespec{Sec: 1 << 30}
				syscall.Nanosleep(&forever, nil)
			}
		}()
	}
	started.Wait()
	return mapAnonymous()
}
