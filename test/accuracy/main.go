//go:build linux

// Command accuracy profiles each program with this project's profiler and, at the same time, with a
// reference: runtime/pprof for Go programs, perf with copied stacks for native ones. It prints how
// far the two agree, writes out/accuracy.json, and exits with status 1 if a limit is exceeded.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

func main() {
	var o options
	flag.StringVar(&o.only, "only", "", "run only programs whose name has this in it")
	flag.DurationVar(&o.goDuration, "go-duration", 60*time.Second, "of a Go program's profiles: its two threads' timers give 500 samples/s at most")
	flag.DurationVar(&o.nativeDuration, "native-duration", 16*time.Second, "of a native program's profiles")
	flag.StringVar(&o.out, "out", "out", "directory for programs and results")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "accuracy:", err)
		os.Exit(1)
	}
}

type options struct {
	only                       string
	goDuration, nativeDuration time.Duration
	out                        string
}

func run(ctx context.Context, o options) error {
	if os.Geteuid() != 0 {
		return errors.New("needs root, for BPF and perf")
	}
	if err := os.MkdirAll(filepath.Join(o.out, "accuracy"), 0o755); err != nil {
		return err
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "program\tsamples\treference\tdistance\tfloor\tpoints\tcomplete\tnamed\tverdict")
	var rows []row
	var missed []string
	for _, p := range programs {
		if !strings.Contains(p.name, o.only) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s …\n", p.name)
		r, err := p.measure(ctx, o)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		rows = append(rows, r)
		verdict := "met"
		if len(r.Missed) > 0 {
			verdict = strings.Join(r.Missed, "; ")
			missed = append(missed, p.name)
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%.3f\t%.3f\t%.1f\t%.2f %%\t%.2f %%\t%s\n", r.Program, r.Ours, r.Reference, r.Distance, r.Floor,
			r.Points, 100*r.Complete, 100*r.Named, verdict)
	}
	table.Flush()
	text, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(o.out, "accuracy.json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	if len(missed) > 0 {
		return fmt.Errorf("a bar is missed by %s", strings.Join(missed, ", "))
	}
	return nil
}
