// Command golang keeps two threads busy with work of one kind and profiles itself with runtime/pprof
// meanwhile: the reference for the profile that is taken from outside. It starts at a line on stdin.
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

// kinds are the works; each is a round of some milliseconds that is repeated.
var kinds = map[string]func(){
	"plain": plain, "recursion": recursion, "generics": generics, "inlining": inlining, "crypto": cryptography,
	"labels": labels,
}

// sink keeps results from being optimized away.
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
	// pprof.StartCPUProfile sets 100 Hz; a rate that is set already stays, with a warning on stderr.
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
