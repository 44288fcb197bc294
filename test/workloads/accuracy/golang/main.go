// Command golang keeps two threads busy with work of one kind and profiles itself with
// runtime/pprof meanwhile, as the reference for a profile taken from outside. It starts when it
// reads a line from stdin.
package main

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

// kinds are the kinds of work. Each function is one round, of some milliseconds, which is repeated.
var kinds = map[string]func(){
	"plain": plain, "recursion": recursion, "generics": generics, "inlining": inlining, "crypto": cryptography,
	"labels": labels,
}

// sink keeps the compiler from removing the work.
var sink atomic.Int64

func main() {
	kind := flag.String("kind", "plain", "the work that is done")
	output := flag.String("cpuprofile", "", "file for the profile")
	duration := flag.Duration("duration", time.Second, "of the profile")
	flag.Parse()
	round := kinds[*kind]
	if round == nil {
		log.Fatalf("no work is called %q", *kind)
	}
	for range 2 {
		go func() {
			for {
				round()
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
