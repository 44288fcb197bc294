//go:build linux

// Command profiler is the program inside the profiler image.
package main

import (
	"fmt"
	"os"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/profiler"
)

func main() {
	cmd := profiler.NewCommand(profiler.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	if err := cmd.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "profiler:", err)
		os.Exit(1)
	}
}
