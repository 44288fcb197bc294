//go:build linux

package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// perfMapPath is the file in which JIT compilers describe the code that they generate, for the first
// process of a container.
const perfMapPath = "/tmp/perf-1.map"

// linkToSecret makes the perf map a link out of the container, to the profiler's or the node's users.
func linkToSecret(uintptr) error {
	return os.Symlink("../../../../../../../../../proc/self/root/etc/passwd", perfMapPath)
}

// makeFIFO makes the perf map a pipe, whose readers wait for a writer.
func makeFIFO(uintptr) error { return syscall.Mkfifo(perfMapPath, 0o666) }

// writeMarkup writes a perf map with a name of 1 MiB that contains markup and control sequences of terminals.
func writeMarkup(generated uintptr) error {
	name := "</title><script>alert(1)</script>\x1b]0;owned\x07\x1b[2J\u202e&\"'" + strings.Repeat("A", 1<<20)
	return os.WriteFile(perfMapPath, fmt.Appendf(nil, "%x 1000 %s\n", generated, name), 0o666)
}

// writeBigPerfMap writes a perf map of more than 200 MiB, whose entries all contain the code.
func writeBigPerfMap() (uintptr, error) {
	generated, err := mapAnonymous()
	if err != nil {
		return 0, err
	}
	f, err := os.Create(perfMapPath)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	for i := range 8 << 20 {
		fmt.Fprintf(w, "%x 1000000 f%d\n", generated-uintptr(i&0xffff), i)
	}
	return generated, w.Flush()
}
