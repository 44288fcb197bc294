//go:build linux

// Command alloc allocates small objects as fast as it can, some 20 million a second, and reports
// how many it allocated in the CPU time that it used. A profiler that slows down allocations
// affects this program most.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"runtime"
	"runtime/pprof"
	"sync/atomic"
	"syscall"
)

// node is an object with a pointer, so that the garbage collector has to scan it.
type node struct {
	next  *node
	value [3]uint64
}

// alive is the number of live objects, which take 2 MiB.
const alive = 1 << 16

var allocated atomic.Uint64

func main() {
	addr := flag.String("listen", ":8080", "address to serve the counters on")
	flag.Parse()
	// This keeps the linker from disabling the memory profile, so that all types of profile can
	// be taken.
	runtime.SetBlockProfileRate(1e9)
	runtime.SetMutexProfileFraction(1e6)
	if pprof.Lookup("heap") == nil {
		log.Fatal("this runtime has no memory profile")
	}
	go allocate()
	http.HandleFunc("/counters", counters)
	log.Fatal(http.ListenAndServe(*addr, nil))
}

//go:noinline
func allocate() {
	ring := make([]*node, alive)
	for i := uint64(0); ; i++ {
		ring[i%alive] = newNode(ring[(i+1)%alive], i)
		if i%1024 == 0 {
			allocated.Add(1024)
		}
	}
}

//go:noinline
func newNode(next *node, value uint64) *node {
	n := &node{value: [3]uint64{value}}
	if value%64 != 0 { // keeps the chains short
		n.next = next
		next.cut()
	}
	return n
}

func (n *node) cut() {
	if n != nil {
		n.next = nil
	}
}

// counters prints the objects allocated and the CPU time used in ns.
func counters(w http.ResponseWriter, _ *http.Request) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintln(w, allocated.Load(), u.Utime.Nano()+u.Stime.Nano())
}
