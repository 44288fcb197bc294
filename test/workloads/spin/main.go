//go:build linux

// Command spin keeps threads busy in one function and reports how much work it did in the CPU time
// that it used. It is the target for measurements of cost, and a neighbour that must not appear in
// another container's profile.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

var rounds, last atomic.Uint64

func main() {
	addr := flag.String("listen", "", "address to serve the counters on; none if empty")
	threads := flag.Int("threads", 1, "busy threads")
	depth := flag.Int("depth", 1, "frames below each busy loop")
	startup := flag.Duration("startup", 0, "time to be busy with warming up, at first")
	crash := flag.Duration("crash", 0, "time after which to end with exit code 3")
	flag.Parse()
	if *crash > 0 {
		time.AfterFunc(*crash, func() { os.Exit(3) })
	}
	warmUp(time.Now().Add(*startup))

	for range *threads {
		go func() {
			runtime.LockOSThread()
			descend(*depth)
		}()
	}
	if *addr == "" {
		select {}
	}
	http.HandleFunc("/counters", counters)
	log.Fatal(http.ListenAndServe(*addr, nil))
}

// warmUp stands for what a program does right after its start, before a profiler can find it.
//
//go:noinline
func warmUp(end time.Time) {
	for x := uint64(1); time.Now().Before(end); {
		for range 100_000 {
			x = x*6364136223846793005 + 1442695040888963407
		}
		last.Store(x)
	}
}

//go:noinline
func descend(depth int) int {
	if depth > 1 {
		return descend(depth-1) + 1
	}
	return turnWheel()
}

//go:noinline
func turnWheel() int {
	x := uint64(88172645463325252)
	for {
		for range 10_000 {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
		}
		last.Store(x) // keeps the compiler from removing the loop
		rounds.Add(1)
	}
}

// counters prints the rounds done and the CPU time used in ns. Throughput per CPU second hardly
// depends on other programs on the machine.
func counters(w http.ResponseWriter, _ *http.Request) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintln(w, rounds.Load(), u.Utime.Nano()+u.Stime.Nano())
}
