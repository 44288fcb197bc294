//go:build linux

// Package wall samples what a container does and waits for over time: all goroutines of Go programs, all threads of others.
// Its entry point is New.
package wall
