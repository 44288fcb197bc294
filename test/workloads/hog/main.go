// Command hog holds a given amount of memory and works on it. It stands for a container near its
// memory limit, which leaves little to a profiler, or, if it grows, for one that exceeds its limit.
package main

import (
	"flag"
	"log"
	"time"
)

func main() {
	megabytes := flag.Int("mb", 64, "MiB to hold")
	grow := flag.Int("grow", 0, "MiB to add each second")
	flag.Parse()
	if *megabytes < 1 || *grow < 0 {
		log.Fatal("hog: -mb must be at least 1, -grow at least 0")
	}
	held := [][]byte{make([]byte, *megabytes<<20)}
	for begin := time.Now(); ; {
		for _, part := range held {
			touchPages(part)
		}
		if *grow > 0 && len(held) <= int(time.Since(begin).Seconds()) {
			held = append(held, make([]byte, *grow<<20))
		}
	}
}

//go:noinline
func touchPages(held []byte) {
	for i := range held {
		held[i] += byte(i)
	}
}
