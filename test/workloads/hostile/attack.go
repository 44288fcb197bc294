//go:build linux

package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// attackWith prepares generated code, a perf map for it and a sparse library, and starts to attack
// the profiler and to fork.
func attackWith(perfMap func(generated uintptr) error) ([]uintptr, error) {
	generated, err := mapAnonymous()
	if err != nil {
		return nil, err
	}
	sparse, err := mapSparse()
	if err != nil {
		return nil, err
	}
	if err := perfMap(generated); err != nil {
		return nil, err
	}
	go attackForever()
	go forkForever()
	return []uintptr{generated, sparse}, nil
}

func forkForever() {
	for {
		cmd := exec.Command("/proc/self/exe", "exit")
		_ = cmd.Run()
		time.Sleep(5 * time.Millisecond)
	}
}

// attackForever tries to read every profiler that it finds, to connect to it and to trace it.
func attackForever() {
	own, _ := os.Readlink("/proc/self/exe")
	for ; ; time.Sleep(20 * time.Millisecond) {
		dirs, _ := filepath.Glob("/proc/[0-9]*")
		for _, dir := range dirs {
			comm, _ := os.ReadFile(dir + "/comm")
			if strings.TrimSpace(string(comm)) != "profiler" {
				continue
			}
			fmt.Println("met", dir, own)
			attack(dir)
		}
	}
}

func attack(dir string) {
	for _, socket := range []string{"/run/kubectl-pprof.sock", "/tmp/kubectl-pprof.sock"} {
		if c, err := net.Dial("unix", dir+"/root"+socket); err == nil {
			fmt.Println("ESCAPED: connected to", socket)
			c.Close()
		}
	}
	for _, name := range []string{"/mem", "/environ", "/maps", "/root/profiler", "/fd/0", "/exe"} {
		if f, err := os.Open(dir + name); err == nil {
			if _, err := f.Read(make([]byte, 1)); err == nil {
				fmt.Println("ESCAPED: read", name)
			}
			f.Close()
		}
	}
	var pid int
	fmt.Sscanf(dir, "/proc/%d", &pid)
	if syscall.PtraceAttach(pid) == nil {
		fmt.Println("ESCAPED: traced")
		syscall.PtraceDetach(pid)
	}
}
