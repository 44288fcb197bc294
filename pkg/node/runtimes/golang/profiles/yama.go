//go:build linux

package profiles

import (
	"os"
	"strings"
)

// ptraceScope returns the sysctl of the security module Yama (kernel,
// Documentation/admin-guide/LSM/Yama.rst), or "" without Yama.
func ptraceScope() string {
	scope, _ := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
	return strings.TrimSpace(string(scope))
}

// whyRefused explains why the kernel refuses the memory of other processes. With scope 3 nobody may
// attach to a process, not even with CAP_SYS_PTRACE, and the value cannot be changed before a
// restart.
func whyRefused(scope string) string {
	if scope == "3" {
		return "kernel.yama.ptrace_scope=3 forbids it to everyone until the node is restarted with a lower value; " +
			"types that sample with BPF, such as cpu, work"
	}
	return "the profiler's container lacks CAP_SYS_PTRACE, or a security module (seccomp, AppArmor, SELinux, Yama) forbids it"
}
