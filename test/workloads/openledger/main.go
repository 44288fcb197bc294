// Command openledger is ledger with net/http/pprof, so that profiles from outside can be compared
// with its own.
package main

import (
	"log"
	_ "net/http/pprof"

	"github.com/kubectl-pprof/kubectl-pprof/test/workloads/ledger/books"
)

func main() { log.Fatal(books.Run(books.Flags())) }
