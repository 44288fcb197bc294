// Command ledger is a service with known memory, goroutines and waits. It does not import
// runtime/pprof, so the linker disables its memory profile, as in most programs.
package main

import (
	"log"

	"github.com/kubectl-pprof/kubectl-pprof/test/workloads/ledger/books"
)

func main() { log.Fatal(books.Run(books.Flags())) }
