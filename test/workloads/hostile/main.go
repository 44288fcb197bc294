//go:build linux

// Command hostile does what a container can do against its profiler, and keeps a CPU busy. Its
// argument names what it does; see behaviours. With names, link and fifo it tries to reach the
// profiler's socket and memory, and prints what it could reach, which must be nothing. With the
// others it tries to exhaust the profiler.
package main

import (
	"fmt"
	"log"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
)

// behaviours are by the argument that selects them. Each prepares what the profiler will meet, and
// returns the addresses of machine code that main then calls in turn.
var behaviours = map[string]func() ([]uintptr, error){
	"names":    func() ([]uintptr, error) { return attackWith(writeMarkup) },
	"link":     func() ([]uintptr, error) { return attackWith(linkToSecret) },
	"fifo":     func() ([]uintptr, error) { return attackWith(makeFIFO) },
	"library":  only(mapOverlappingCode),
	"segments": only(mapOverlappingTables),
	"fdes":     only(mapTinyFDEs),
	"symbol":   only(mapLongSymbol),
	"symtabs":  only(mapManySymbolTables),
	"perfmap":  only(writeBigPerfMap),
	"mappings": only(makeMappings),
	"threads":  only(startThreads),
	"buckets":  only(forgeBuckets),
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "exit" { // a child of forkForever
		return
	}
	if len(os.Args) != 2 || behaviours[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: hostile", strings.Join(slices.Sorted(maps.Keys(behaviours)), "|"))
		os.Exit(2)
	}
	if err := os.MkdirAll("/tmp", 0o777); err != nil {
		log.Fatal(err)
	}
	codes, err := behaviours[os.Args[1]]()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready")
	for {
		for _, code := range codes {
			call(code)
		}
		runtime.Gosched() // Go cannot preempt foreign code, so without this the garbage collector would wait for ever
	}
}

// only adapts a function that returns the address of one piece of code.
func only(prepare func() (uintptr, error)) func() ([]uintptr, error) {
	return func() ([]uintptr, error) {
		code, err := prepare()
		return []uintptr{code}, err
	}
}
