//go:build linux

// Package container finds the target container on the node: its cgroup, as the BPF programs compare it, and its processes.
// Its entry point is Find.
package container
