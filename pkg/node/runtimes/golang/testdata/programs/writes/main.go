// writes allocates, waits, contends for a mutex, and writes its own profiles to files in the
// directory named by its argument.
package main

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"sync"
	"time"
)

func init() { runtime.MemProfileRate = 1 } // every object, so that nothing is scaled

var keep []any

func small() *[64]byte { return new([64]byte) } // inlined

func inlined(n int) {
	for i := 0; i < n; i++ {
		keep = append(keep, small())
	}
}

//go:noinline
func deep(depth int) {
	if depth > 0 {
		deep(depth - 1)
		return
	}
	keep = append(keep, make([]byte, 100000))
}

//go:noinline
func freed() {
	for i := 0; i < 1000; i++ {
		keep[0] = make([]byte, 1000)
	}
}

func contend() {
	var mutex sync.Mutex
	done := make(chan bool)
	for i := 0; i < 3; i++ {
		go func() {
			mutex.Lock()
			time.Sleep(10 * time.Millisecond)
			mutex.Unlock()
			done <- true
		}()
	}
	for i := 0; i < 3; i++ {
		<-done
	}
}

func main() {
	runtime.SetMutexProfileFraction(1)
	runtime.SetBlockProfileRate(1)
	contend()
	runtime.SetMutexProfileFraction(0)
	runtime.SetBlockProfileRate(0)
	inlined(5000)
	deep(10)
	freed()
	runtime.GC()
	runtime.GC()
	debug.SetGCPercent(-1) // nothing is published any more
	for _, name := range []string{"heap", "mutex", "block"} {
		f, err := os.Create(filepath.Join(os.Args[1], name))
		if err != nil {
			panic(err)
		}
		if err := pprof.Lookup(name).WriteTo(f, 0); err != nil {
			panic(err)
		}
		f.Close()
	}
	println("ready")
	os.Stdin.Read(make([]byte, 1))
}
