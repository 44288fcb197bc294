// Command svg makes a picture of folded stacks: what `make bench` compares with flamegraph.pl.
//
//	svg -f svg|html < stacks.folded > picture
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/render"
	"github.com/kubectl-pprof/kubectl-pprof/test/stacks"
)

func main() {
	format := flag.String("f", "svg", "`form` of the picture")
	flag.Parse()
	p, err := stacks.ReadFolded(os.Stdin)
	if err == nil {
		err = render.Write(os.Stdout, p, render.Format(*format))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "svg:", err)
		os.Exit(1)
	}
}
