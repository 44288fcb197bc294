// Command svg renders folded stacks as a picture. `make bench` compares it with flamegraph.pl.
//
//	svg -folded 100000 > stacks.folded
//	svg -f svg|html|png < stacks.folded > picture
//
// It is a program of its own so that its memory can be measured.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
	"github.com/kubectl-pprof/kubectl-pprof/test/stacks"
)

func main() {
	format := flag.String("f", "svg", "`form` of the picture")
	folded := flag.Int("folded", 0, "write folded stacks instead: this `number`")
	flag.Parse()
	if err := run(render.Format(*format), *folded); err != nil {
		fmt.Fprintln(os.Stderr, "svg:", err)
		os.Exit(1)
	}
}

func run(format render.Format, folded int) error {
	if folded > 0 {
		return stacks.WriteFolded(os.Stdout, stacks.New(folded))
	}
	p, err := stacks.ReadFolded(os.Stdin)
	if err != nil {
		return err
	}
	return render.Write(os.Stdout, p, format)
}
