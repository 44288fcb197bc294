// Package books is the work of the programs ledger and openledger: they hold memory, allocate at a
// known rate, park goroutines and contend for a lock, each in a function with a known name.
package books

import (
	"flag"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Options are the program's flags.
type Options struct {
	listen string
	hold   int
	rate   int
	park   int
	locks  bool
}

// Flags reads the flags.
func Flags() *Options {
	o := new(Options)
	flag.StringVar(&o.listen, "listen", ":8080", "address to serve on")
	flag.IntVar(&o.hold, "hold", 32, "MiB to hold, in blocks of 64 KiB")
	flag.IntVar(&o.rate, "rate", 32, "MiB to allocate and forget in each second, in blocks of 4 KiB")
	flag.IntVar(&o.park, "park", 100, "goroutines to park")
	flag.BoolVar(&o.locks, "locks", false, "turn the runtime's mutex and block profiles on, and wait for a lock half of the time")
	flag.Parse()
	return o
}

var (
	held    [][]byte
	scratch atomic.Pointer[[]byte]
	orders  = make(chan int)
	served  atomic.Int64
)

// Run works until the server fails.
func Run(o *Options) error {
	if o.locks {
		runtime.SetMutexProfileFraction(1)
		runtime.SetBlockProfileRate(1)
		var lock sync.Mutex
		for range 2 {
			go Quarrel(&lock)
		}
	}
	Remember(o.hold)
	for range o.park {
		go AwaitOrder(orders)
	}
	go Spend(o.rate)
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		served.Add(1)
		fmt.Fprintln(w, "balanced")
	})
	return http.ListenAndServe(o.listen, nil)
}

const block = 64 << 10

// Remember holds the given number of MiB.
//
//go:noinline
func Remember(mib int) {
	for range mib << 20 / block {
		held = append(held, make([]byte, block))
	}
}

// AwaitOrder blocks for ever.
//
//go:noinline
func AwaitOrder(orders <-chan int) { <-orders }

// Spend allocates the given number of MiB in each second, and drops them.
//
//go:noinline
func Spend(mib int) {
	const size, perSecond = 4 << 10, 50
	for range time.Tick(time.Second / perSecond) {
		for range mib << 20 / size / perSecond {
			b := make([]byte, size)
			for i := range b {
				b[i] = byte(i)
			}
			scratch.Store(&b)
		}
	}
}

// Quarrel repeatedly holds the lock for 10 ms and releases it to another goroutine.
//
//go:noinline
func Quarrel(lock *sync.Mutex) {
	for {
		lock.Lock()
		time.Sleep(10 * time.Millisecond)
		lock.Unlock()
	}
}
