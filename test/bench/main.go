//go:build linux

// Command bench measures on a cluster what the documentation claims about cost, prints a table and
// writes it to out/bench.json. It exits with status 1 if a value exceeds its limit. `make bench` runs
// it with the environment of test/with-cluster. Each measure is one function in the table below.
// Arguments select measures by name.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// row is one measured value. Limit is the largest acceptable value, 0 if there is none.
type row struct {
	Measure string  `json:"measure"`
	Value   float64 `json:"value"`
	Unit    string  `json:"unit"`
	Limit   float64 `json:"asked,omitempty"`
	Met     bool    `json:"met"`
}

type measure struct {
	name string
	take func(context.Context, *bench) ([]row, error)
}

// measures are listed in the order of the table. Each returns one or more rows.
func measures() []measure {
	all := []measure{
		{"help", helpTime}, {"image", imageSize}, {"walltime", wallTime}, {"slowdown", slowdown}, {"slowdown-deep", slowdownDeep},
	}
	for _, name := range api.TypeNames() {
		all = append(all, slowdownOfAllocations(name))
	}
	return append(all, measure{"counts", counts}, measure{"memory", etcdMemory}, measure{"pictures", pictures}, measure{"browser", inBrowser})
}

// is reports whether a name selects the measure: the measure's own name, or its part before a slash.
func (m measure) is(name string) bool { return m.name == name || strings.HasPrefix(m.name, name+"/") }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, chosen []string) error {
	for _, name := range chosen {
		if !slices.ContainsFunc(measures(), func(m measure) bool { return m.is(name) }) {
			return fmt.Errorf("no measure is called %q", name)
		}
	}
	b, err := newBench(ctx)
	if err != nil {
		return err
	}
	defer b.close()
	var rows []row
	for _, m := range measures() {
		if len(chosen) > 0 && !slices.ContainsFunc(chosen, m.is) {
			continue
		}
		r, err := m.take(ctx, b)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		rows = append(rows, r...)
	}
	for i := range rows {
		rows[i].Met = rows[i].Limit == 0 || rows[i].Value <= rows[i].Limit
	}
	print(rows)
	text, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join("out", "bench.json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	return missed(rows)
}

// missed returns an error if a value exceeds its limit.
func missed(rows []row) error {
	n := 0
	for _, r := range rows {
		if !r.Met {
			n++
		}
	}
	if n > 0 {
		return fmt.Errorf("%d of %d values exceed what is asked: see MISSED in the table", n, len(rows))
	}
	return nil
}

func print(rows []row) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "measure\tvalue\tunit\tasked\t")
	for _, r := range rows {
		asked, verdict := "-", ""
		if r.Limit != 0 {
			asked = fmt.Sprintf("at most %g", r.Limit)
		}
		if !r.Met {
			verdict = "MISSED"
		}
		fmt.Fprintf(w, "%s\t%.2f\t%s\t%s\t%s\n", r.Measure, r.Value, r.Unit, asked, verdict)
	}
	w.Flush()
}
