//go:build linux

package verify

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
)

// maxAdvice bounds the number of mappings that a profile's comments mention.
const maxAdvice = 5

// Advice returns one line for each of the mappings with the most broken stacks, most first: the count,
// the path and a remedy.
func (c *Checker) Advice() []string {
	var lines []string
	for _, p := range most(c.Narrow) {
		lines = append(lines, fmt.Sprintf("32-bit programs are not unwound: %d stacks have only the function that was running, in %s; "+
			"build the program for 64 bits", c.Narrow[p], p))
	}
	for _, p := range most(c.Astray) {
		lines = append(lines, fmt.Sprintf("%d stacks break in %s: %s", c.Astray[p], p, remedy(p)))
	}
	return lines
}

// most returns the paths with the highest counts, highest first.
func most(byPath map[string]int64) []string {
	paths := slices.SortedFunc(maps.Keys(byPath), func(a, b string) int {
		return cmp.Or(cmp.Compare(byPath[b], byPath[a]), cmp.Compare(a, b))
	})
	return paths[:min(len(paths), maxAdvice)]
}

func remedy(file string) string {
	switch {
	case file == process.AnonymousMapping:
		return "code made at run time, or copied to anonymous memory, that keeps no frame pointers; Java: -XX:+PreserveFramePointer, .NET and Node keep them"
	case file == process.NoMapping:
		return "the process has unmapped the code, or executed another program, before its mappings were read; if it executes itself often, profile the programs one by one"
	case strings.Contains(file, "musl"):
		return "musl is built without unwind tables and frame pointers; use an image with glibc, or musl built with -fasynchronous-unwind-tables"
	}
	return "it has neither unwind tables nor frame pointers there; build it with -fasynchronous-unwind-tables or -fno-omit-frame-pointer"
}
