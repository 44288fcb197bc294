// Command firstends is a process whose first thread ends. Its other threads go on.
package main

import (
	"fmt"
	"runtime"
	"syscall"
	"time"
)

func init() { runtime.LockOSThread() } // main runs on the first thread

func main() {
	fmt.Printf("%p\n", &word)
	go time.Sleep(time.Minute)
	syscall.Syscall(syscall.SYS_EXIT, 0, 0, 0) // ends the thread only
}

var word = [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
