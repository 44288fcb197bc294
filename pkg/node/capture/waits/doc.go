//go:build linux

// Package waits measures how long the threads of a container wait, and where, with the BPF program that runs at every
// context switch. Its entry points are Load and Tracker. It depends on the sampler that owns it only through Host.
package waits
