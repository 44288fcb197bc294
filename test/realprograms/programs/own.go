package programs

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// Comparison is an amount that was read from outside, between what the program itself said before and after.
type Comparison struct {
	What   string `json:"what"`
	Before int64  `json:"before"`
	Ours   int64  `json:"ours"`
	After  int64  `json:"after"`
	Off    string `json:"off,omitempty"` // what is wrong with it
}

func (c Comparison) String() string {
	return fmt.Sprintf("%s: %d from outside, %d before and %d after by itself", c.What, c.Ours, c.Before, c.After)
}

// compareOwn reads memory and goroutines from outside, and before and after that asks the program for its own profiles.
func (r *Runner) compareOwn(ctx context.Context, p Program) ([]Comparison, error) {
	scheme, port, _ := strings.Cut(p.Own, ":")
	ask := func(name string) (*profile.Profile, error) {
		data, err := r.Client.CoreV1().Pods(r.Namespace).ProxyGet(scheme, p.Name, port, "debug/pprof/"+name, nil).DoRaw(ctx)
		if err != nil {
			return nil, fmt.Errorf("asking it for its own profile: %w", err)
		}
		return profile.ParseData(data)
	}
	names := []string{"heap", "goroutine"}
	var before, after []*profile.Profile
	for _, name := range names {
		own, err := ask(name)
		if err != nil {
			return nil, err
		}
		before = append(before, own)
	}
	dir, err := os.MkdirTemp("", "realprograms-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := command(ctx, "", r.Plugin, "--ephemeral", "-n", r.Namespace, p.Name, "-c", ServerContainer,
		"--type", strings.Join(names, ","), "-o", filepath.Join(dir, "p.pb.gz")); err != nil {
		return nil, err
	}
	for _, name := range names {
		own, err := ask(name)
		if err != nil {
			return nil, err
		}
		after = append(after, own)
	}
	var all []Comparison
	for i, name := range names {
		data, err := os.ReadFile(filepath.Join(dir, "p-"+name+".pb.gz"))
		if err != nil {
			return nil, err
		}
		ours, err := profile.ParseData(data)
		if err != nil {
			return nil, err
		}
		if name == "heap" {
			all = append(all, compareTotals(before[i], ours, after[i])...)
		} else {
			all = append(all, near("goroutines", before[i], ours, after[i], "goroutine"))
		}
	}
	return all, nil
}

// compareTotals compares what was ever allocated, which only grows, so that it must lie between: by each stack.
func compareTotals(before, ours, after *profile.Profile) []Comparison {
	all := []Comparison{near("bytes in use", before, ours, after, "inuse_space")}
	low, got, high := byStack(before, "alloc_space"), byStack(ours, "alloc_space"), byStack(after, "alloc_space")
	total := Comparison{What: "bytes ever allocated, by stack", Before: sum(low), Ours: sum(got), After: sum(high)}
	outside := 0
	for stack, n := range got {
		if n < low[stack] || n > high[stack] {
			outside++
		}
	}
	for stack, n := range low {
		if _, there := got[stack]; !there && n > 0 {
			outside++
		}
	}
	if outside > 0 || len(got) == 0 {
		total.Off = fmt.Sprintf("%d of %d stacks have amounts that are not between", outside, len(got))
	}
	return append(all, total)
}

// tolerance is how far an amount that goes up and down may lie beyond what the program said before and after.
const tolerance = 0.05

func near(what string, before, ours, after *profile.Profile, values string) Comparison {
	c := Comparison{What: what, Before: sum(byStack(before, values)), Ours: sum(byStack(ours, values)), After: sum(byStack(after, values))}
	low, high := float64(min(c.Before, c.After)), float64(max(c.Before, c.After))
	if got := float64(c.Ours); got < math.Floor(low*(1-tolerance)) || got > math.Ceil(high*(1+tolerance)) {
		c.Off = fmt.Sprintf("more than %.0f %% off", 100*tolerance)
	}
	return c
}

// byStack adds up values of a type by stack, with lines, and by object size.
func byStack(p *profile.Profile, values string) map[string]int64 {
	index := slices.IndexFunc(p.SampleType, func(t *profile.ValueType) bool { return t.Type == values })
	all := map[string]int64{}
	for _, s := range p.Sample {
		var stack strings.Builder
		for _, l := range s.Location {
			for _, line := range l.Line {
				fmt.Fprintf(&stack, "%s:%d\n", line.Function.Name, line.Line)
			}
		}
		fmt.Fprint(&stack, s.NumLabel["bytes"])
		all[stack.String()] += s.Value[index]
	}
	return all
}

func sum(values map[string]int64) (total int64) {
	for _, n := range values {
		total += n
	}
	return total
}
