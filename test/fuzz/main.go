// Command fuzz runs every fuzz target of the module, one after another, and prints a table of them.
// It exits with status 1 if a target found an input on which it fails. FUZZTIME, 30s by default,
// is how long each target runs; arguments, if any, are regular expressions for their names.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	found, err := run(ctx, cmp.Or(os.Getenv("FUZZTIME"), "30s"), os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
	}
	if found || err != nil {
		stop()
		os.Exit(1)
	}
}

// run reports whether a target found an input on which it fails.
func run(ctx context.Context, fuzzTime string, patterns []string) (found bool, err error) {
	if _, err := time.ParseDuration(fuzzTime); err != nil {
		return false, fmt.Errorf("FUZZTIME is not a duration: %w", err)
	}
	targets, err := listTargets(ctx, patterns)
	if err != nil {
		return false, err
	}
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TARGET\tEXECUTIONS\tNEW INPUTS\tRESULT")
	for _, t := range targets {
		fmt.Fprintf(os.Stderr, "%s for %s\n", t, fuzzTime)
		r, err := t.fuzz(ctx, fuzzTime)
		if err != nil {
			return found, err
		}
		found = found || r.finding != ""
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\n", t, r.executions, r.newInputs, cmp.Or(r.finding, "ok"))
	}
	w.Flush()
	_, err = io.Copy(os.Stdout, &table)
	return found, err
}

// target is a fuzz target, by the directory of its package, relative to the module's root.
type target struct{ dir, name string }

func (t target) String() string { return t.dir + " " + t.name }

var targetPattern = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(\w+ \*testing\.F\)`)

// listTargets returns the fuzz targets in the test files that this system builds.
func listTargets(ctx context.Context, patterns []string) (targets []target, err error) {
	root, err := command(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return nil, err
	}
	list := command(ctx, "go", "list", "-json=Dir,TestGoFiles,XTestGoFiles", "./...")
	list.Dir = strings.TrimSpace(string(root))
	out, err := list.Output()
	if err != nil {
		return nil, err
	}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			Dir                       string
			TestGoFiles, XTestGoFiles []string
		}
		if err := decoder.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		dir, err := filepath.Rel(list.Dir, p.Dir)
		if err != nil {
			return nil, err
		}
		for _, file := range append(p.TestGoFiles, p.XTestGoFiles...) {
			source, err := os.ReadFile(filepath.Join(p.Dir, file))
			if err != nil {
				return nil, err
			}
			for _, m := range targetPattern.FindAllSubmatch(source, -1) {
				t := target{filepath.ToSlash(dir), string(m[1])}
				if matches, err := t.matches(patterns); err != nil {
					return nil, err
				} else if matches {
					targets = append(targets, t)
				}
			}
		}
	}
	if len(targets) == 0 {
		return nil, fmt.Errorf("no fuzz target matches %q", patterns)
	}
	return targets, nil
}

// matches reports whether one of the patterns, if there are any, matches the target's name or package.
func (t target) matches(patterns []string) (bool, error) {
	var invalid error
	found := slices.ContainsFunc(patterns, func(pattern string) bool {
		matched, err := regexp.MatchString(pattern, path.Join(t.dir, t.name))
		invalid = cmp.Or(invalid, err)
		return matched
	})
	return found || len(patterns) == 0, invalid
}

type result struct {
	executions, newInputs int
	finding               string // the file of the failing input, or the last line of the output
}

// fuzz runs one target. Minimising a finding takes a minute and needs the fuzzer to run the target
// many times on expensive inputs, so it is switched off.
func (t target) fuzz(ctx context.Context, fuzzTime string) (result, error) {
	var out bytes.Buffer
	cmd := command(ctx, "go", "test", "-run=^$", "-fuzz=^"+t.name+"$", "-fuzztime="+fuzzTime,
		"-fuzzminimizetime=1x", "-parallel=2", "-timeout=0", "./"+t.dir)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if ctx.Err() != nil {
		return result{}, ctx.Err()
	}
	r := parse(out.String(), err != nil)
	if r.finding != "" {
		os.Stderr.Write(out.Bytes())
	}
	return r, nil
}

var (
	progressPattern = regexp.MustCompile(`fuzz: elapsed: .*, execs: (\d+) .*new interesting: (\d+) `)
	findingPattern  = regexp.MustCompile(`Failing input written to (\S+)|(failure while testing seed corpus entry: \S+)`)
)

// parse reads what `go test -fuzz` has printed.
func parse(output string, failed bool) (r result) {
	for _, m := range progressPattern.FindAllStringSubmatch(output, -1) {
		r.executions, _ = strconv.Atoi(m[1])
		r.newInputs, _ = strconv.Atoi(m[2])
	}
	if !failed || endedByTime(output) {
		if r.executions == 0 {
			r.finding = "FAIL: nothing was executed; give it more time"
		}
		return r
	}
	if m := findingPattern.FindStringSubmatch(output); m != nil {
		r.finding = "FAIL: " + m[1] + m[2]
	} else {
		lines := strings.Split(strings.TrimSpace(output), "\n")
		r.finding = "FAIL: " + lines[max(0, len(lines)-2)]
	}
	return r
}

// endedByTime reports whether the target failed only because its time was up while it ran, which
// Go before 1.27 reports as a failure now and then; see https://go.dev/issue/75804.
func endedByTime(output string) bool {
	_, failure, ok := strings.Cut(output, "--- FAIL: ")
	return ok && regexp.MustCompile(`^\w+ \([0-9.]+s\)\n\s+context deadline exceeded\nFAIL\n`).MatchString(failure)
}

// command returns a command that is interrupted, and not killed, when the context ends, so that the
// go command ends the fuzz workers.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}
