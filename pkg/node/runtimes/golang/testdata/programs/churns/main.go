// churns starts goroutines that wait and grow, move and shrink their stacks as fast as possible. In
// every stack ping is called by pong and pong by ping.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"
)

var (
	wake  = make(chan int)
	count int64
)

//go:noinline
func ping(n int) int {
	var room [64]byte
	room[n%64] = byte(n)
	if n == 0 {
		return <-wake
	}
	return pong(n-1) + int(room[n%64])
}

//go:noinline
func pong(n int) int {
	var room [200]byte
	room[n%200] = byte(n)
	if n == 0 {
		return <-wake
	}
	return ping(n-1) + int(room[n%200])
}

// turns waits 40 times, each time with another depth of stack.
func turns(seed int) {
	for i := 0; i < 40; i++ {
		ping(seed % 50)
		seed = seed*1103515245 + 12345
		if seed < 0 {
			seed = -seed
		}
	}
	atomic.AddInt64(&count, 1)
}

func start(n int) {
	for {
		n++
		go turns(n)
		wake <- n
		for i := 1; i < 40; i++ { // wakes as many as were started, so that their number stays the same
			wake <- i
		}
	}
}

func main() {
	for i := 0; i < 50; i++ {
		go turns(i)
	}
	for i := 0; i < 4; i++ {
		go start(i)
	}
	go func() {
		for { // shrinks stacks
			runtime.GC()
			time.Sleep(5 * time.Millisecond)
		}
	}()
	fmt.Println("ready")
	var b [1]byte
	for {
		if _, err := os.Stdin.Read(b[:]); err != nil {
			return
		}
		fmt.Println(atomic.LoadInt64(&count))
	}
}
