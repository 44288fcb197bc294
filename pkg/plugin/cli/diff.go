package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/google/pprof/profile"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/diff"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

const diffExamples = `  # What a release changed, as a table
  kubectl pprof diff old.pb.gz new.pb.gz

  # The same as shares, for captures under different load, and as a flame graph
  kubectl pprof diff old.pb.gz new.pb.gz --normalize -o change.svg

  # Two pods, profiled at the same time: the old version and the canary
  kubectl pprof diff deploy/web deploy/web-canary -d 60s --normalize -o canary.svg

  # What has changed since yesterday
  kubectl pprof diff yesterday.svg deploy/web --normalize`

// diffWriters are the forms of a difference.
var diffWriters = map[render.Format]func(*diff.Diff, io.Writer) error{
	render.Text:  (*diff.Diff).WriteTable,
	render.SVG:   (*diff.Diff).WriteSVG,
	render.HTML:  (*diff.Diff).WriteHTML,
	render.Pprof: (*diff.Diff).WritePprof,
}

func newDiffCommand(streams genericiooptions.IOStreams, signals <-chan os.Signal) *cobra.Command {
	c := comparison{Options: NewOptions(streams)}
	cmd := &cobra.Command{
		Use:                   "diff BEFORE AFTER [flags]",
		DisableFlagsInUseLine: true,
		Short:                 "Compare two profiles, from files or of pods",
		Long: `Compare two profiles: print the functions that changed most, or draw the change. In the flame graph red is more,
blue is less, yellow is new; what is gone is drawn by itself. Changes that two samplings of the same
program could show as well are left out of the table and without colour.

BEFORE and AFTER are files that kubectl pprof convert reads, or [TYPE/]NAME of pods, which are profiled, two
at the same time. A file goes before a pod of the same name; pod/NAME is always a pod.`,
		Example:           diffExamples,
		Args:              arguments(2, 2, "name two files or pods to compare"),
		ValidArgsFunction: c.completeSides,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.complete(args); err != nil {
				return usageError{err}
			}
			ctx, early, done := handleSignals(cmd.Context(), signals)
			defer done()
			return c.run(ctx, early)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVar(&c.normalize, "normalize", false, "compare shares of the whole, for profiles of different length or load")
	f.StringArrayVarP(&c.outputs, "output", "o", nil, "`file` to write to, - for stdout; several give several formats (default -)")
	f.StringVarP(&c.format, "format", "f", "", "`format` of the output: text, svg, html, pprof; default: by its ending, else text")
	c.loading.addFlags(cmd)
	profiling := pflag.NewFlagSet("profiling", pflag.ContinueOnError)
	profiling.SortFlags = false
	c.addTargetFlags(profiling)
	c.addProfilingFlags(profiling)
	c.addTalkFlags(profiling)
	connection := pflag.NewFlagSet("connection", pflag.ContinueOnError)
	c.config.AddFlags(connection)
	f.AddFlagSet(profiling)
	f.AddFlagSet(connection)
	setUsage(cmd, flagGroup{"Flags for profiling pods", profiling}, flagGroup{"Connection flags", connection})
	c.addFlagCompletion(cmd)
	return cmd
}

// comparison is the diff command: the options for profiling pods, and what is its own. Its outputs and their formats
// are of the difference.
type comparison struct {
	*Options
	loading   loading
	normalize bool
	sides     []side
}

// complete settles everything that can be settled without asking the cluster or reading a file.
func (c *comparison) complete(args []string) (err error) {
	if len(c.outputs) == 0 {
		c.outputs = []string{"-"}
	}
	if c.files, err = chooseFiles(c.outputs, c.format, render.Text); err != nil {
		return err
	}
	if i := slices.IndexFunc(c.files, func(f *file) bool { return diffWriters[f.format] == nil }); i >= 0 {
		return fmt.Errorf("a difference has no form %q; choose one of: text, svg, html, pprof", c.files[i].format)
	}
	if args[0] == "-" && args[1] == "-" {
		return fmt.Errorf("stdin holds one profile, not both")
	}
	for _, arg := range args {
		s, err := c.side(arg)
		if err != nil {
			return err
		}
		c.sides = append(c.sides, s)
	}
	if c.sides[0].pod != nil && c.sides[1].pod != nil && args[0] == args[1] {
		return fmt.Errorf("%s is given twice: at the same time a pod does not differ from itself", args[0])
	}
	return validateFiles(c.files, c.Out)
}

func (c *comparison) run(ctx, early context.Context) (err error) {
	filter, err := c.loading.options()
	if err != nil {
		return err
	}
	profiles, finish, err := c.profiles(ctx, early)
	defer func() { err = errors.Join(err, finish()) }()
	if err != nil {
		return err
	}
	for i, s := range c.sides {
		if profiles[i], err = c.loading.apply(s.name, profiles[i], filter); err != nil {
			return err
		}
	}
	before, after := profiles[0], profiles[1]
	d, err := diff.Compare(before, after, c.normalize)
	if err != nil {
		return fmt.Errorf("%s and %s: %w", c.sides[0].name, c.sides[1].name, err)
	}
	if !c.normalize {
		warnOfDurations(c.ErrOut, before, after)
	}
	paths, err := writeFiles(c.files, "diff", func(w io.Writer, f *file) error { return diffWriters[f.format](d, w) })
	for _, path := range paths {
		fmt.Fprintf(c.ErrOut, "wrote %s\n", path)
	}
	for i, p := range profiles {
		if reason := partial(p); err == nil && reason != "" && c.sides[i].pod != nil && early.Err() == nil {
			err = fmt.Errorf("%s: %w: %s", c.sides[i].name, errPartial, reason)
		}
	}
	return err
}

// warnOfDurations says when absolute values cannot be compared.
func warnOfDurations(w io.Writer, before, after *profile.Profile) {
	a, b := before.DurationNanos, after.DurationNanos
	if a > 0 && b > 0 && max(a, b) > min(a, b)/10*11 {
		fmt.Fprintf(w, "the profiles last %.1fs and %.1fs: --normalize compares shares\n", float64(a)/1e9, float64(b)/1e9)
	}
}
