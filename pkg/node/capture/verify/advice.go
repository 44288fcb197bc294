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
// the path and a remedy. astray is Checker.Astray.
func Advice(astray map[string]int64) []string {
	paths := slices.SortedFunc(maps.Keys(astray), func(a, b string) int {
		return cmp.Or(cmp.Compare(astray[b], astray[a]), cmp.Compare(a, b))
	})
	var lines []string
	for _, p := range paths[:min(len(paths), maxAdvice)] {
		lines = append(lines, fmt.Sprintf("%d stacks break in %s: %s", astray[p], p, remedy(p)))
	}
	return lines
}

func remedy(file string) string {
	switch {
	case file == process.AnonymousMapping:
		return "code made at run time that keeps no frame pointers; Java: -XX:+PreserveFramePointer, .NET and Node keep them"
	case strings.Contains(file, "musl"):
		return "musl is built without unwind tables and frame pointers; use an image with glibc, or musl built with -fasynchronous-unwind-tables"
	}
	return "it has neither unwind tables nor frame pointers there; build it with -fasynchronous-unwind-tables or -fno-omit-frame-pointer"
}
