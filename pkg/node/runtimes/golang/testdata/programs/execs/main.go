// execs executes itself when it has read a byte, and then prints runtime.MemProfileRate, which it
// has set itself, for each further byte.
package main

import (
	"os"
	"runtime"
	"syscall"
)

func main() {
	if len(os.Args) == 1 {
		println("ready")
		os.Stdin.Read(make([]byte, 1))
		panic(syscall.Exec("/proc/self/exe", []string{"execs", "again"}, nil))
	}
	runtime.MemProfileRate = 4096
	println("executed")
	for {
		if n, _ := os.Stdin.Read(make([]byte, 1)); n == 0 {
			return
		}
		println(runtime.MemProfileRate)
	}
}
