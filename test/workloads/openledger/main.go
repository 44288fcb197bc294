// Command openledger is ledger with net/http/pprof, so that what is seen from outside can be compared with what it says.
package main

import (
	"log"
	_ "net/http/pprof"

	"github.com/kubectl-pprof/kubectl-pprof/test/workloads/ledger/books"
)

func main() { log.Fatal(books.Run(books.Flags())) }
