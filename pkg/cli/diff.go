package cli

import (
	"fmt"
	"io"
	"slices"

	"github.com/google/pprof/profile"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/diff"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/render"
)

const diffExamples = `  # What a release changed, as a table
  kubectl pprof diff old.pb.gz new.pb.gz

  # The same as shares, for captures under different load, and as a flame graph
  kubectl pprof diff old.pb.gz new.pb.gz --normalize -o change.svg

  # Two pods of one deployment
  kubectl pprof web-0 -o a.pb.gz -q & kubectl pprof web-1 -o b.pb.gz -q; wait
  kubectl pprof diff a.pb.gz b.pb.gz --normalize`

// diffWriters are the forms of a difference.
var diffWriters = map[render.Format]func(*diff.Diff, io.Writer) error{
	render.Text:  (*diff.Diff).WriteTable,
	render.SVG:   (*diff.Diff).WriteSVG,
	render.Pprof: (*diff.Diff).WritePprof,
}

func newDiffCommand(streams genericiooptions.IOStreams) *cobra.Command {
	var l loading
	var outputs []string
	var format string
	var normalize bool
	cmd := &cobra.Command{
		Use:                   "diff BEFORE AFTER [flags]",
		DisableFlagsInUseLine: true,
		Short:                 "Compare two profiles from files",
		Long: `Compare two profiles: print the functions that changed most, or draw the change. In the flame graph red is more,
blue is less, yellow is new; what is gone is drawn by itself. Changes that two samplings of the same
program could show as well are left out of the table and without colour. The files are what
kubectl pprof convert reads.`,
		Example: diffExamples,
		Args:    arguments(2, 2, "name two files to compare"),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(outputs) == 0 {
				outputs = []string{"-"}
			}
			files, err := chooseFiles(outputs, format, render.Text)
			if err == nil {
				err = validateFiles(files, streams.Out)
			}
			if i := slices.IndexFunc(files, func(f *file) bool { return diffWriters[f.format] == nil }); err == nil && i >= 0 {
				err = fmt.Errorf("a difference has no form %q; choose one of: text, svg, pprof", files[i].format)
			}
			if err == nil && args[0] == "-" && args[1] == "-" {
				err = fmt.Errorf("stdin holds one profile, not both")
			}
			if err != nil {
				return usageError{err}
			}
			before, err := l.load(args[0], streams.In)
			if err != nil {
				return err
			}
			after, err := l.load(args[1], streams.In)
			if err != nil {
				return err
			}
			d, err := diff.Compare(before, after, normalize)
			if err != nil {
				return fmt.Errorf("%s and %s: %w", args[0], args[1], err)
			}
			if !normalize {
				warnOfDurations(streams.ErrOut, before, after)
			}
			if err := openFiles(files, streams.Out); err != nil {
				return err
			}
			paths, err := writeFiles(files, "diff", func(w io.Writer, f *file) error { return diffWriters[f.format](d, w) })
			for _, path := range paths {
				fmt.Fprintf(streams.ErrOut, "wrote %s\n", path)
			}
			return err
		},
	}
	f := cmd.Flags()
	f.BoolVar(&normalize, "normalize", false, "compare shares of the whole, for profiles of different length or load")
	f.StringArrayVarP(&outputs, "output", "o", nil, "`file` to write to, - for stdout; several give several formats (default -)")
	f.StringVarP(&format, "format", "f", "", "`format` of the output: text, svg, pprof; default: by its ending, else text")
	l.addFlags(cmd)
	setPlainUsage(cmd)
	return cmd
}

// warnOfDurations says when absolute values cannot be compared.
func warnOfDurations(w io.Writer, before, after *profile.Profile) {
	a, b := before.DurationNanos, after.DurationNanos
	if a > 0 && b > 0 && max(a, b) > min(a, b)/10*11 {
		fmt.Fprintf(w, "the profiles last %.1fs and %.1fs: --normalize compares shares\n", float64(a)/1e9, float64(b)/1e9)
	}
}
