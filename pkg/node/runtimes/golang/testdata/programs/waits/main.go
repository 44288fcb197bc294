// waits starts as many waiting goroutines as its first argument says, and one with a recursion of
// the depth of its second argument.
package main

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"
)

var (
	never   = make(chan int)
	reached sync.WaitGroup
)

//go:noinline
func wait(depth int) int {
	if depth > 0 {
		return wait(depth-1) + 1
	}
	reached.Done()
	return <-never
}

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	reached.Add(n)
	for i := 0; i < n; i++ {
		go wait(i % 10)
	}
	if len(os.Args) > 2 {
		depth, _ := strconv.Atoi(os.Args[2])
		reached.Add(1)
		go wait(depth)
	}
	reached.Wait()
	time.Sleep(100 * time.Millisecond)
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
