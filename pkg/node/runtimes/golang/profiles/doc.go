//go:build linux

// Package profiles builds the profiles that only Go programs have from what package golang reads of their runtime: heap,
// allocs, mutex, block and goroutine. Its entry points are NewHeap, NewAllocs, NewMutex, NewBlock, NewGoroutines and NewWall.
// It must not need BPF.
package profiles
