//go:build linux

package main

import (
	"runtime"
	"sync/atomic"
)

// The programs that are profiled, and the one outside of the cgroup.

var held [][]byte

// hold allocates 64 MiB in pieces that are large enough to be sampled each.
//
//go:noinline
func hold() {
	runtime.MemProfile(nil, true) // without it the linker would turn the profile off
	for range 8 {
		held = append(held, make([]byte, 8<<20))
	}
	runtime.GC()
	runtime.GC()
}

//go:noinline
func growStacks() {
	for {
		done := make(chan int)
		go func() { done <- grow(100) }()
		<-done
	}
}

//go:noinline
func grow(n int) int {
	var room [256]byte
	room[n] = 1
	if n == 0 {
		return int(room[0])
	}
	return grow(n-1) + int(room[n])
}

//go:noinline
func callerGo() { hotGo() }

//go:noinline
func hotGo() {
	for n := 0; ; n++ {
		step(n)
	}
}

// sink is never read. It keeps the compiler from removing the loops.
var sink atomic.Int64

// step keeps no frame pointer. Its caller must be found nevertheless.
//
//go:noinline
func step(n int) {
	for i := range 1000 {
		sink.Add(int64(n ^ i))
	}
}

//go:noinline
func outsider() {
	for n := 0; ; n++ {
		sink.Add(int64(n))
	}
}
