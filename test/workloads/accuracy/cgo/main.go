// Command cgo spends its time in C called by Go, and in Go called by that C, and profiles itself with
// runtime/pprof meanwhile. It starts when it reads a line from stdin.
package main

/*
#cgo CFLAGS: -O2 -fomit-frame-pointer
extern long goCallback(long);

__attribute__((noinline)) static long c_burn(long n)
{
	volatile unsigned long sum = 0; // local to the thread: see labels in ../golang

	for (long i = 0; i < 20000; i++)
		sum += i ^ n;
	return sum;
}

__attribute__((noinline)) static long c_work(long n)
{
	return c_burn(n) + 1;
}

__attribute__((noinline)) static long c_call_back(long n)
{
	return goCallback(n) + 1;
}
*/
import "C"

import (
	"bufio"
	"flag"
	"fmt"
	"log"
	"os"
	"runtime"
	"runtime/pprof"
	"sync/atomic"
	"time"
)

var sink atomic.Int64

//export goCallback
func goCallback(n C.long) C.long {
	return C.long(burnGo(int(n), 30_000))
}

//go:noinline
func burnGo(n, rounds int) int {
	for i := range rounds {
		n += i ^ n
	}
	return n
}

//go:noinline
func viaC() int { return int(C.c_work(1)) }

//go:noinline
func viaCallback() int { return int(C.c_call_back(1)) }

func main() {
	flag.String("kind", "", "not used: there is one kind of work")
	output := flag.String("cpuprofile", "", "file for the profile")
	duration := flag.Duration("duration", time.Second, "of the profile")
	flag.Parse()
	for range 2 {
		go func() {
			for {
				sink.Add(int64(viaC() + viaCallback() + burnGo(1, 10_000)))
			}
		}()
	}
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		log.Fatal(err)
	}
	f, err := os.Create(*output)
	if err != nil {
		log.Fatal(err)
	}
	// pprof.StartCPUProfile sets 100 Hz. It keeps a rate that is already set, and prints a
	// warning to stderr.
	runtime.SetCPUProfileRate(500)
	if err := pprof.StartCPUProfile(f); err != nil {
		log.Fatal(err)
	}
	time.Sleep(*duration)
	pprof.StopCPUProfile()
	if err := f.Close(); err != nil {
		log.Fatal(err)
	}
	fmt.Println("done")
}
