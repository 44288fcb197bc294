//go:build linux

// Package sampling samples stacks with BPF programs: at ticks of the CPU clock, at page faults, and where threads wait. Its
// entry points are NewCPU, NewFaults, NewOffCPU and NewThreadWall.
package sampling
