package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/google/pprof/profile"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/session"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/diff"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

const diffExamples = `  # Print what a release changed, as a table
  kubectl pprof diff old.pb.gz new.pb.gz

  # Draw the change as a flame graph, in shares because the load was different
  kubectl pprof diff old.pb.gz new.pb.gz --normalize -o change.svg

  # Profile two workloads at the same time and compare them
  kubectl pprof diff deploy/web deploy/web-canary -d 60s --normalize -o canary.svg

  # Compare a pod with a profile of yesterday
  kubectl pprof diff yesterday.svg deploy/web --normalize

  # Compare memory in use before and after
  kubectl pprof diff before.pb.gz after.pb.gz --sample inuse_space`

// diffOutputs are the outputs of a difference. The order of the formats is that of the help.
var diffOutputs = outputOptions{formats: []render.Format{render.Text, render.SVG, render.HTML, render.Pprof}, fallback: render.Text, flag: "--output "}

// diffWriters lists the formats of a difference.
var diffWriters = map[render.Format]func(*diff.Diff, io.Writer) error{
	render.Text:  (*diff.Diff).WriteTable,
	render.SVG:   (*diff.Diff).WriteSVG,
	render.HTML:  (*diff.Diff).WriteHTML,
	render.Pprof: (*diff.Diff).WritePprof,
}

// diffFlags are the flags of the diff command: those for profiling pods, and its own.
type diffFlags struct {
	profilingFlags
	profiling *pflag.FlagSet // those of profilingFlags
	parts     filterFlags
	normalize bool
	outputs   []string // of the difference
	format    string
	verbosity
}

func newDiffCommand(streams genericiooptions.IOStreams, signals <-chan os.Signal) *cobra.Command {
	d := &diffFlags{profilingFlags: newProfilingFlags()}
	cmd := &cobra.Command{
		Use:                   "diff BEFORE AFTER [flags]",
		DisableFlagsInUseLine: true,
		Short:                 "Compare two profiles, from files or of pods",
		Long: `Compare two profiles: print the functions that changed most, or draw the change as a flame graph. In the
flame graph red frames have grown, blue ones have shrunk, and yellow ones are new; removed frames are drawn
separately. Changes within the noise of sampling are left out of the table and have no colour.

BEFORE and AFTER are files, as for kubectl pprof convert, or [TYPE/]NAME of pods and workloads. Those are
profiled first, both at the same time; all profiling flags apply. If there are a file and a pod of the same
name, the file is used; pod/NAME is always a pod.`,
		Example:           diffExamples,
		Args:              arguments(2, 2, "name two files or pods to compare"),
		ValidArgsFunction: completer{d.connection}.completeFileOrTarget,
		RunE: func(cmd *cobra.Command, args []string) error {
			plan, err := d.plan(args, streams.Out)
			if err != nil {
				return usageError{err}
			}
			ctx, early, done := handleSignals(cmd.Context(), signals)
			defer done()
			return plan.run(ctx, early, d.connection, streams)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVar(&d.normalize, "normalize", false, "compare shares of the total, for profiles of different duration or load")
	f.StringArrayVarP(&d.outputs, "output", "o", nil, "`file` to write to, or - for stdout; may be repeated for several formats (default -)")
	diffOutputs.addFormat(cmd, &d.format)
	d.parts.addTo(cmd)
	d.verbosity.addTo(f)
	d.profiling = pflag.NewFlagSet("profiling", pflag.ContinueOnError)
	d.profiling.SortFlags = false
	d.addTarget(d.profiling)
	d.addProfiling(d.profiling)
	f.AddFlagSet(d.profiling)
	setUsage(cmd, flagGroup{"Flags for profiling pods", d.profiling}, d.connection.addTo(cmd))
	addFlagCompletion(cmd, d.connection)
	return cmd
}

// diffPlan is what the diff command does. Nothing changes it.
type diffPlan struct {
	sides     []side // before and after
	files     []outputFile
	filter    profileFilter
	normalize bool
	verbosity verbosity
}

// side is one of the two profiles of a comparison.
type side struct {
	name string
	pod  *capturePlan // nil for a file
}

// plan checks everything that can be checked before the cluster is asked or a file is read.
func (d *diffFlags) plan(args []string, stdout io.Writer) (*diffPlan, error) {
	outputs := d.outputs
	if len(outputs) == 0 {
		outputs = []string{"-"}
	}
	files, err := diffOutputs.choose(outputs, d.format)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(files, func(f outputFile) bool { return diffWriters[f.format] == nil }); i >= 0 {
		return nil, fmt.Errorf("a difference cannot be written as %q; choose one of: %s", files[i].format, joined(diffOutputs.formats))
	}
	if args[0] == "-" && args[1] == "-" {
		return nil, fmt.Errorf("stdin holds one profile, not both")
	}
	plan := &diffPlan{files: files, normalize: d.normalize, verbosity: d.verbosity}
	for _, arg := range args {
		s, err := d.side(arg)
		if err != nil {
			return nil, err
		}
		plan.sides = append(plan.sides, s)
	}
	switch before, after := plan.sides[0].pod, plan.sides[1].pod; {
	case before != nil && after != nil && args[0] == args[1]:
		return nil, fmt.Errorf("%s is given twice: name two different pods, or a file and a pod", args[0])
	case before == nil && after == nil:
		if flag := firstChanged(d.profiling); flag != "" {
			return nil, fmt.Errorf("--%s is for profiling pods, and both %s and %s are files; for a pod write pod/NAME", flag, args[0], args[1])
		}
	}
	if err := d.verbosity.validate(); err != nil {
		return nil, err
	}
	if plan.filter, err = d.parts.filter(); err != nil {
		return nil, err
	}
	return plan, validateFiles(files, stdout)
}

// firstChanged returns the name of the first flag that was given, or "".
func firstChanged(flags *pflag.FlagSet) (name string) {
	flags.VisitAll(func(f *pflag.Flag) {
		if name == "" && f.Changed {
			name = f.Name
		}
	})
	return name
}

// side decides whether an argument is a file or a pod. A name with the ending of a file is a file
// even if there is none: nobody means a pod by it.
func (d *diffFlags) side(arg string) (side, error) {
	s := side{name: arg}
	if arg == "-" {
		return s, nil
	}
	if info, err := os.Stat(arg); err == nil && !info.IsDir() {
		return s, nil
	}
	if _, known := render.FormatOf(arg); known {
		return s, nil
	}
	if _, _, err := target.ParseName(arg); err != nil {
		return s, fmt.Errorf("%s is neither a file nor a pod: %w", arg, err)
	}
	capture, err := d.profilingFlags.plan([]string{arg}, false)
	if err != nil {
		return s, err
	}
	if n := len(capture.session.Requests); n != 1 {
		return s, fmt.Errorf("--type names %d types: a comparison is of one", n)
	}
	capture.target.hint = "; there is no file of this name either"
	s.pod = &capture
	return s, nil
}

// run compares the profiles and writes the difference. The contexts are as for session.Take.
func (d *diffPlan) run(ctx, early context.Context, connection connectionFlags, streams genericiooptions.IOStreams) (err error) {
	profiles, files, finish, err := d.profiles(ctx, early, connection, streams)
	defer func() { err = errors.Join(err, finish()) }()
	if err != nil {
		return err
	}
	for i, s := range d.sides {
		if profiles[i], err = d.filter.apply(s.name, profiles[i]); err != nil {
			return err
		}
	}
	before, after := profiles[0], profiles[1]
	change, err := diff.Compare(before, after, d.normalize)
	if err != nil {
		return fmt.Errorf("%s and %s: %w", d.sides[0].name, d.sides[1].name, err)
	}
	if !d.normalize && !d.verbosity.quiet {
		warnOfDurations(streams.ErrOut, before, after)
	}
	paths, err := writeFiles(files, "diff", func(w io.Writer, f outputFile) error { return diffWriters[f.format](change, w) })
	if !d.verbosity.quiet {
		for _, path := range paths {
			fmt.Fprintf(streams.ErrOut, "wrote %s\n", path)
		}
	}
	if err != nil {
		return err
	}
	return d.incomplete(profiles, early.Err() != nil)
}

// incomplete returns an error if a pod was left changed or, unless the user stopped sampling, a
// profile is partial.
func (d *diffPlan) incomplete(profiles []*profile.Profile, stopped bool) error {
	var partial error
	for i, p := range profiles {
		if d.sides[i].pod == nil {
			continue // its problems are those of an earlier command
		}
		if left := meta.LeftChanged.Get(p); left != "" {
			return fmt.Errorf("%s: %w: %s", d.sides[i].name, errLeftChanged, left)
		}
		if reason := meta.Partial.Get(p); partial == nil && reason != "" && !stopped {
			partial = fmt.Errorf("%s: %w: %s", d.sides[i].name, errPartial, reason)
		}
	}
	return partial
}

// profiles returns the profiles of both sides and the opened outputs. Files are read first, because
// their errors show at once; pods are profiled at the same time. finish must be called in any case;
// it ends the sessions.
func (d *diffPlan) profiles(ctx, early context.Context, connection connectionFlags, streams genericiooptions.IOStreams) (profiles []*profile.Profile, files []openFile, finish func() error, err error) {
	profiles = make([]*profile.Profile, len(d.sides))
	outcomes := make([]*session.Outcome, len(d.sides))
	finish = func() (err error) {
		for _, o := range outcomes {
			err = errors.Join(err, o.Finish())
		}
		return err
	}
	pods := 0
	for i, s := range d.sides {
		if s.pod != nil {
			pods++
		} else if profiles[i], err = readProfile(s.name, streams); err != nil {
			return nil, nil, finish, err
		}
	}
	var c *cluster
	if pods > 0 {
		if c, err = connection.connect(); err != nil {
			return nil, nil, finish, err
		}
	}
	if files, err = openFiles(d.files, streams.Out); err != nil {
		return nil, nil, finish, err
	}

	// A side that fails ends the other as Ctrl-C does, which leaves nothing behind: one profile
	// cannot be compared.
	early, stop := context.WithCancel(early)
	defer stop()
	var wg sync.WaitGroup
	var once sync.Once
	for i, s := range d.sides {
		if s.pod == nil {
			continue
		}
		wg.Go(func() {
			ui := newProgress(streams.ErrOut, d.verbosity)
			if pods > 1 {
				ui.live, ui.prefix = false, s.name+": "
			}
			defer ui.clear()
			t, outcome, failed := s.pod.capture(ctx, early, c, ui)
			outcomes[i] = outcome
			if failed != nil {
				once.Do(func() { err = failed })
				stop()
				return
			}
			result := outcome.Results[0]
			profiles[i] = result.Profile
			ui.note("%s: %s", t, extent(result))
			if !d.verbosity.quiet {
				reportLeftContainer(streams.ErrOut, outcome.LeftContainer)
			}
		})
	}
	wg.Wait()
	return profiles, files, finish, interrupted(ctx, err)
}

// warnOfDurations prints a warning if the durations are too different to compare absolute values.
func warnOfDurations(w io.Writer, before, after *profile.Profile) {
	a, b := before.DurationNanos, after.DurationNanos
	if a > 0 && b > 0 && max(a, b) > min(a, b)/10*11 {
		fmt.Fprintf(w, "the profiles are of %.1fs and %.1fs: use --normalize to compare shares\n", float64(a)/1e9, float64(b)/1e9)
	}
}
