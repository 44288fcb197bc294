// Command ledger is a service whose memory, goroutines and waiting are known, and which imports no package of
// runtime/pprof: the linker has turned its memory profile off, as in most programs.
package main

import (
	"log"

	"github.com/kubectl-pprof/kubectl-pprof/test/workloads/ledger/books"
)

func main() { log.Fatal(books.Run(books.Flags())) }
