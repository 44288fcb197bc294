// goexit goes on after its main function has ended by runtime.Goexit.
package main

import (
	"runtime"
	"time"
)

func main() {
	go func() {
		time.Sleep(100 * time.Millisecond) // by now the main function has ended
		println("ready")
		time.Sleep(time.Hour)
	}()
	runtime.Goexit()
}
