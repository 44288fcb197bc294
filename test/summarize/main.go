// Command summarize reads the output of `go test -json` and prints what people want to see of it: a
// line for each package, the output of the tests that fail, and at the end what was left out and
// why.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

func main() {
	failed, err := summarize(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "summarize:", err)
	}
	if failed || err != nil {
		os.Exit(1)
	}
}

// event is a line of `go test -json`; see `go doc test2json` and, for builds, `go help buildjson`.
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64 // seconds
}

// summarize reports whether a package failed to build or a test failed.
func summarize(in io.Reader, out io.Writer) (failed bool, err error) {
	type key struct{ pkg, test string }
	output := map[key]*strings.Builder{}
	leftOut := map[string]int{} // tests, by the reason that each has stated
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			break
		} else if err != nil && err != io.EOF {
			return failed, err
		}
		var e event
		if json.Unmarshal(line, &e) != nil { // the go command writes some errors as text
			fmt.Fprintf(out, "%s", line)
			continue
		}
		k := key{e.Package, e.Test}
		if output[k] == nil {
			output[k] = &strings.Builder{}
		}
		switch e.Action {
		case "build-output":
			fmt.Fprint(out, e.Output)
		case "build-fail":
			failed = true
		case "output":
			output[k].WriteString(e.Output)
		case "skip":
			if e.Test != "" {
				leftOut[reason(output[k].String())]++
			}
			delete(output, k)
		case "pass", "fail":
			if e.Action == "fail" {
				failed = true
				fmt.Fprint(out, output[k].String())
			} else if e.Test == "" {
				fmt.Fprint(out, lastLine(output[k].String()))
			}
			delete(output, k)
		}
	}
	for _, why := range slices.Sorted(maps.Keys(leftOut)) {
		fmt.Fprintf(out, "left out: %d tests: %s\n", leftOut[why], why)
	}
	return failed, nil
}

// skipMessage is what a test logs when it calls t.Skip: file, line and reason.
var skipMessage = regexp.MustCompile(`(?m)^ +[\w.]+\.go:\d+: (?:left out: )?(.+)$`)

func reason(output string) string {
	found := skipMessage.FindAllStringSubmatch(output, -1)
	if len(found) == 0 {
		return "no reason stated"
	}
	return found[len(found)-1][1]
}

func lastLine(output string) string {
	lines := strings.SplitAfter(strings.TrimSuffix(output, "\n"), "\n")
	return lines[len(lines)-1] + "\n"
}
