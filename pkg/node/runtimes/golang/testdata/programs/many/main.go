// many allocates at 16,384 stacks.
package main

import (
	"os"
	"runtime"
)

func init() { runtime.MemProfileRate = 1 }

var keep []*[64]byte

//go:noinline
func zero(path, depth int) { walk(path, depth-1) }

//go:noinline
func one(path, depth int) { walk(path, depth-1) }

//go:noinline
func walk(path, depth int) {
	switch {
	case depth == 0:
		keep = append(keep, new([64]byte))
	case path>>(depth-1)&1 == 0:
		zero(path, depth)
	default:
		one(path, depth)
	}
}

func main() {
	keep = make([]*[64]byte, 0, 1<<14)
	for path := 0; path < 1<<14; path++ {
		walk(path, 14)
	}
	runtime.GC()
	runtime.GC()
	println("ready")
	os.Stdin.Read(make([]byte, 1))
}
