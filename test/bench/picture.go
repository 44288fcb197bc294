//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
	"github.com/kubectl-pprof/kubectl-pprof/test/browser"
	"github.com/kubectl-pprof/kubectl-pprof/test/stacks"
)

// flamegraphPL is the path at which Debian's libdevel-nytprof-perl installs flamegraph.pl.
const flamegraphPL = "/usr/share/perl5/Devel/NYTProf/flamegraph.pl"

// pictures renders 100,000 stacks and compares the cost with flamegraph.pl's for the same folded
// file. Each runs in a process of its own. CPU time is more meaningful than wall time on a shared
// machine.
func pictures(ctx context.Context, _ *bench) ([]row, error) {
	dir, err := os.MkdirTemp("", "kubectl-pprof-pictures-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	folded, twice, program := filepath.Join(dir, "stacks.folded"), filepath.Join(dir, "twice.folded"), filepath.Join(dir, "svg")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "./test/stacks/svg")
	if _, err := build.Output(); err != nil {
		return nil, failed(build, err)
	}
	if err := writeFolded(ctx, program, folded, 100_000); err != nil {
		return nil, err
	}
	ours, err := quickest(ctx, folded, program)
	if err != nil {
		return nil, err
	}
	html, err := convert(ctx, folded, program, "-f", "html")
	if err != nil {
		return nil, err
	}
	png, err := quickest(ctx, folded, program, "-f", "png")
	if err != nil {
		return nil, err
	}
	if err := writeFolded(ctx, program, twice, 200_000); err != nil {
		return nil, err
	}
	double, err := quickest(ctx, twice, program)
	if err != nil {
		return nil, err
	}
	theirs, err := convert(ctx, folded, "perl", flamegraphPL)
	if err != nil {
		return nil, err
	}
	compile, err := compilePage(ctx, dir)
	if err != nil {
		return nil, err
	}
	return []row{
		{Measure: "SVG of 100,000 stacks, wall", Value: ours.wall, Unit: "s", Limit: 1.2},
		{Measure: "SVG of 100,000 stacks, CPU", Value: ours.cpu, Unit: "s"},
		{Measure: "SVG of 100,000 stacks, memory", Value: ours.memory, Unit: "MB", Limit: 150},
		{Measure: "SVG of 100,000 stacks, size", Value: ours.size, Unit: "MB", Limit: 2},
		{Measure: "SVG of 200,000 stacks, CPU time in that of 100,000", Value: double.cpu / ours.cpu, Unit: "times", Limit: 2.4},
		{Measure: "PNG of 100,000 stacks, wall", Value: png.wall, Unit: "s", Limit: 1},
		{Measure: "PNG of 100,000 stacks, CPU", Value: png.cpu, Unit: "s"},
		{Measure: "HTML of 100,000 stacks, size", Value: html.size, Unit: "MB", Limit: 2},
		{Measure: "flamegraph.pl on the same, wall", Value: theirs.wall, Unit: "s"},
		{Measure: "flamegraph.pl on the same, CPU", Value: theirs.cpu, Unit: "s"},
		{Measure: "flamegraph.pl on the same, memory", Value: theirs.memory, Unit: "MB"},
		{Measure: "flamegraph.pl on the same, size", Value: theirs.size, Unit: "MB"},
		{Measure: "SVG's share of flamegraph.pl's CPU time", Value: 100 * ours.cpu / theirs.cpu, Unit: "%"},
		{Measure: "SVG's share of flamegraph.pl's wall time", Value: 100 * ours.wall / theirs.wall, Unit: "%", Limit: 10},
		{Measure: "HTML of a Go compile's profile, 2,000 stacks", Value: compile, Unit: "kB", Limit: 100},
	}, nil
}

// conversion is the cost of making a picture, in seconds and megabytes.
type conversion struct{ wall, cpu, memory, size float64 }

// quickest converts three times and returns the quickest run: other load on the machine only adds time.
func quickest(ctx context.Context, folded string, command ...string) (best conversion, err error) {
	for i := range 3 {
		c, err := convert(ctx, folded, command...)
		if err != nil {
			return conversion{}, err
		}
		if i == 0 || c.wall < best.wall {
			best = c
		}
	}
	return best, nil
}

func convert(ctx context.Context, folded string, command ...string) (conversion, error) {
	in, err := os.Open(folded)
	if err != nil {
		return conversion{}, err
	}
	defer in.Close()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout = in, &out
	begin := time.Now()
	if err := cmd.Run(); err != nil {
		return conversion{}, failed(cmd, err)
	}
	wall, used := time.Since(begin).Seconds(), cmd.ProcessState
	return conversion{
		wall: wall, cpu: (used.UserTime() + used.SystemTime()).Seconds(),
		memory: float64(used.SysUsage().(*syscall.Rusage).Maxrss) / 1024, size: float64(out.Len()) / 1e6,
	}, nil
}

func writeFolded(ctx context.Context, program, path string, stacks int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	cmd := exec.CommandContext(ctx, program, "-folded", fmt.Sprint(stacks))
	cmd.Stdout = f
	if err := cmd.Run(); err != nil {
		return failed(cmd, err)
	}
	return f.Close()
}

// compilePage returns the size, in kilobytes, of a page with 2,000 stacks of a running Go compiler.
func compilePage(ctx context.Context, dir string) (float64, error) {
	const stacks = 2000
	var runs []*profile.Profile
	for i := 0; ; i++ {
		one, err := compileProfile(ctx, filepath.Join(dir, fmt.Sprintf("compile%d.prof", i)))
		if err != nil {
			return 0, err
		}
		p, err := profile.Merge(append(runs, one))
		if err != nil {
			return 0, err
		}
		runs = append(runs, one)
		if len(p.Sample) < stacks && i < 3 {
			continue // a run on a busy machine may have fewer stacks
		}
		p.Sample = p.Sample[:min(len(p.Sample), stacks)]
		var out bytes.Buffer
		err = render.Write(&out, p.Compact(), render.HTML)
		return float64(out.Len()) / 1e3, err
	}
}

// compileProfile profiles the compiler while it compiles its largest package. Each run passes
// another file name, which changes the flags and so bypasses the build cache.
func compileProfile(ctx context.Context, file string) (*profile.Profile, error) {
	cmd := exec.CommandContext(ctx, "go", "build", "-gcflags=cmd/compile/internal/ssa=-cpuprofile="+file, "-o", os.DevNull, "cmd/compile/internal/ssa")
	if _, err := cmd.Output(); err != nil {
		return nil, failed(cmd, err)
	}
	in, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return profile.Parse(in)
}

// inBrowser measures what a person waits for: the time until the graph is drawn, and the script's
// time for a zoom and for a search.
func inBrowser(ctx context.Context, _ *bench) ([]row, error) {
	dir, err := os.MkdirTemp("", "kubectl-pprof-pictures-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	chromium, stop, err := browser.Start(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	var rows []row
	for _, c := range []struct {
		format             render.Format
		stacks             int
		drawn, zoom, found float64 // limits: s, ms, ms
	}{{render.HTML, 200_000, 0.7, 16, 20}, {render.SVG, 100_000, 1, 50, 0}} {
		file := filepath.Join(dir, "picture"+c.format.Ending())
		var out bytes.Buffer
		if err := render.Write(&out, stacks.New(c.stacks), c.format); err != nil {
			return nil, err
		}
		if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
			return nil, err
		}
		times, err := browser.Measure(chromium, "file://"+file)
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("%s of %d stacks in chromium, ", c.format, c.stacks)
		rows = append(rows, row{Measure: name + "drawn", Value: times.Drawn / 1e3, Unit: "s", Limit: c.drawn},
			row{Measure: name + "zoom", Value: times.Zoom, Unit: "ms", Limit: c.zoom}, row{Measure: name + "search", Value: times.Search, Unit: "ms", Limit: c.found})
	}
	return rows, nil
}
