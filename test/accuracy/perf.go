//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"github.com/kubectl-pprof/kubectl-pprof/test/accuracy/compare"
)

// readPerf reads a recording of perf.
func readPerf(ctx context.Context, data, program string) ([]compare.Stack, error) {
	cmd := exec.CommandContext(ctx, "perf", "script", "-i", data, "--no-inline", "--no-demangle", "--max-stack", "1024", "-F", "ip,sym,dso")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stacks, err := parsePerf(out, program)
	if err != nil {
		return nil, err
	}
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("perf script: %w", err)
	}
	return stacks, nil
}

// parsePerf parses the output of perf script: a line "address symbol (object)" for each frame, leaf
// first, and a blank line between samples. It leaves out kernel addresses.
func parsePerf(r io.Reader, program string) ([]compare.Stack, error) {
	var all []compare.Stack
	stack := compare.Stack{Count: 1}
	flush := func() {
		if len(stack.Frames) > 0 {
			all = append(all, stack)
		}
		stack = compare.Stack{Count: 1}
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		address, symbol, ok := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		switch {
		case !ok:
			flush()
		case len(address) == 16 && strings.HasPrefix(address, "ffff"):
		default:
			name, object, _ := strings.Cut(strings.TrimSuffix(symbol, ")"), " (")
			stack.Frames = append(stack.Frames, nativeFrame(strings.TrimSpace(name), object, program))
		}
	}
	flush()
	return all, lines.Err()
}
