// hammer changes its memory at full speed in ways that could confuse a reader: it allocates at many
// stacks, starts goroutines, and makes their stacks grow and move.
package main

import "os"

type node struct {
	next *node
	data [100]byte
}

//go:noinline
func allocate(depth int) *node {
	if depth == 0 {
		return new(node)
	}
	return &node{next: allocate(depth - 1)}
}

//go:noinline
func grow(depth int) byte {
	var frame [1024]byte
	if depth == 0 {
		return frame[0]
	}
	return grow(depth-1) + frame[depth]
}

func main() {
	for i := 0; i < 2; i++ {
		go func() {
			for n := 0; ; n++ {
				allocate(n % 100)
			}
		}()
		go func() {
			for {
				done := make(chan byte)
				go func() { done <- grow(64) }()
				<-done
			}
		}()
	}
	println("ready")
	os.Stdin.Read(make([]byte, 1))
	println("alive")
}
