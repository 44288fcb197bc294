//go:build linux

// Package wall samples what a container does and what it waits for over time: all goroutines of Go programs, all threads of
// other programs. Its entry point is New.
package wall
