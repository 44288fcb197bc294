//go:build linux

// Package container finds the target container on the node: the cgroup by which the BPF programs select tasks, and its processes.
// Its entry point is Find.
package container
