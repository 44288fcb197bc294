// Command hog holds a given amount of memory and works on it: a container that lives near its
// limit, in which a profiler must be a small guest.
package main

import (
	"flag"
	"log"
)

func main() {
	megabytes := flag.Int("mb", 64, "MiB to hold")
	flag.Parse()
	if *megabytes < 1 {
		log.Fatal("hog: -mb must be at least 1")
	}
	held := make([]byte, *megabytes<<20)
	for {
		touchPages(held)
	}
}

//go:noinline
func touchPages(held []byte) {
	for i := range held {
		held[i] += byte(i)
	}
}
