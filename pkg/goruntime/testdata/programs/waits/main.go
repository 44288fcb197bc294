// waits has as many goroutines that wait as it is told.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

var never = make(chan int)

//go:noinline
func wait(depth int) int {
	if depth > 0 {
		return wait(depth-1) + 1
	}
	return <-never
}

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	for i := 0; i < n; i++ {
		go wait(i % 10)
	}
	time.Sleep(100 * time.Millisecond)
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
