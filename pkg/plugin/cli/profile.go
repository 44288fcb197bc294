package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/session"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// profileFlags are the flags of the root command, which takes profiles.
type profileFlags struct {
	profilingFlags
	outputs []string
	format  string
	json    bool
	drawing drawing
	dryRun  bool
	open    bool
	verbosity
}

// profileOutputs are the outputs of a profile.
var profileOutputs = outputOptions{formats: render.Formats(), fallback: render.SVG, flag: "--output "}

func newProfileFlags(stdout io.Writer) *profileFlags {
	return &profileFlags{profilingFlags: newProfilingFlags(), drawing: drawing{stdout: stdout}}
}

func (p *profileFlags) addTo(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SortFlags = false
	p.addTarget(f)
	f.StringArrayVarP(&p.outputs, "output", "o", nil, "`file` or directory to write to, or - for stdout; may be repeated for several formats; default: <pod>-<container>-<type>-<time> in the working directory")
	profileOutputs.addFormat(cmd, &p.format)
	f.BoolVar(&p.json, "json", false, "same as --format json")
	p.drawing.addFlags(cmd)
	p.addProfiling(f)
	f.BoolVar(&p.dryRun, "dry-run", false, "print what would be created as YAML, checked by the API server, and create nothing")
	f.BoolVar(&p.open, "open", false, "open the first output when it is written")
	p.verbosity.addTo(f)
	setUsage(cmd, p.connection.addTo(cmd))
	addFlagCompletion(cmd, p.connection)
}

// profilePlan is what the root command does. Nothing changes it.
type profilePlan struct {
	capturePlan
	files           [][]outputFile // of each type
	drawing         drawing
	dryRun          bool
	open            bool
	durationIgnored bool // --duration was given, but no type uses it
	verbosity       verbosity
}

// plan checks everything that can be checked before the cluster is asked.
func (p *profileFlags) plan(args []string, stdout io.Writer) (*profilePlan, error) {
	format := p.format
	if p.json {
		if format != "" && format != string(render.JSON) {
			return nil, fmt.Errorf("--json and --format %s exclude each other", format)
		}
		format = string(render.JSON)
	}
	files, err := profileOutputs.choose(p.outputs, format)
	if err != nil {
		return nil, err
	}
	// The text format of goroutines is a traceback of each of them.
	capture, err := p.profilingFlags.plan(args, slices.ContainsFunc(files, func(f outputFile) bool { return f.format == render.Text }))
	if err != nil && capture.target.query.Name == "" { // the arguments are not the name of a pod
		err = fmt.Errorf("%w%s", err, fileHint(args))
	}
	if err != nil {
		return nil, err
	}
	capture.target.hint += fileHint(args)
	requests := capture.session.Requests
	switch {
	case len(requests) > 1 && slices.ContainsFunc(files, func(f outputFile) bool { return isStream(f.path) }):
		return nil, fmt.Errorf("--output - and devices take one profile: each of the %d types needs a file", len(requests))
	case p.open && files[0].path == "-":
		return nil, fmt.Errorf("--open needs a file: --output - cannot be opened")
	}
	if err := errors.Join(p.verbosity.validate(), validateFiles(files, stdout), p.drawing.validate(files)); err != nil {
		return nil, err
	}
	var types []string
	for _, r := range requests {
		types = append(types, r.Type.Name)
	}
	return &profilePlan{
		capturePlan:     capture,
		files:           filesByType(files, types),
		drawing:         p.drawing,
		dryRun:          p.dryRun,
		open:            p.open,
		durationIgnored: p.set("duration") && !slices.ContainsFunc(requests, func(r api.Request) bool { return !r.Instant() }),
		verbosity:       p.verbosity,
	}, nil
}

// fileHint returns what to append to errors if the argument that names a pod is a file.
func fileHint(args []string) string {
	if len(args) != 1 {
		return ""
	}
	if info, err := os.Stat(args[0]); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return fmt.Sprintf("; %[1]s is a file: did you mean `kubectl pprof view %[1]s` or `kubectl pprof convert %[1]s OUT`?", args[0])
}

// run takes the profiles and writes them. The contexts are as for session.Take.
func (p *profilePlan) run(ctx, early context.Context, connection connectionFlags, streams genericiooptions.IOStreams) error {
	err := p.takeAndWrite(ctx, early, connection, streams)
	if errors.Is(err, errPartial) || errors.Is(err, session.ErrMissing) {
		return err // the profiles were written before the interruption
	}
	return interrupted(ctx, err)
}

func (p *profilePlan) takeAndWrite(ctx, early context.Context, connection connectionFlags, streams genericiooptions.IOStreams) (err error) {
	ui := newProgress(streams.ErrOut, p.verbosity)
	defer ui.clear()
	c, err := connection.connect()
	if err != nil {
		return err
	}
	files := make([][]openFile, len(p.files))
	for i, f := range p.files {
		if p.dryRun {
			break // nothing is written
		}
		if files[i], err = openFiles(f, streams.Out); err != nil {
			return err
		}
	}
	if p.durationIgnored {
		ui.Note("--duration is ignored: the requested types are read at once")
	}
	if p.dryRun {
		return p.printObject(early, c, ui, streams.Out)
	}
	t, outcome, err := p.capture(ctx, early, c, ui)
	defer func() { err = errors.Join(err, outcome.Finish()) }()
	if err != nil {
		return err
	}
	ui.Step("writing the profile")
	paths, err := p.write(outcome.Results, files, t)
	ui.clear()
	if !p.verbosity.quiet {
		summarize(streams.ErrOut, outcome, paths)
	}
	if err != nil {
		return err
	}
	if p.open && len(paths) > 0 {
		if err := openOnDesktop(paths[0]); err != nil {
			return err
		}
	}
	if left := outcome.LeftChanged(); left != "" {
		return fmt.Errorf("%w: %s", errLeftChanged, left)
	}
	if err := outcome.Missing(); err != nil {
		return err
	}
	if reason := outcome.Partial(); reason != "" && early.Err() == nil {
		return fmt.Errorf("%w: %s", errPartial, reason)
	}
	return nil
}

// printObject prints what would be created, as YAML.
func (p *profilePlan) printObject(ctx context.Context, c *cluster, ui *progress, w io.Writer) error {
	t, err := p.target.resolve(ctx, c, ui)
	if err != nil {
		return err
	}
	object, err := session.New(c.config, c.clients.Core, t, p.session, ui).DryRun(ctx)
	if err != nil {
		return advise(err, p.session.Requests)
	}
	ui.clear()
	if object == nil {
		_, err := fmt.Fprintln(w, "# nothing would be created: a kept profiler would be used")
		return err
	}
	text, err := yaml.Marshal(object)
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

// write writes the profiles that were taken and returns the paths of those that are files. An error
// does not keep the others from being written.
func (p *profilePlan) write(results []*session.Result, files [][]openFile, t *target.Target) (paths []string, err error) {
	for i, r := range results {
		if r.Profile == nil {
			continue
		}
		written, failed := writeFiles(files[i], fileName(t, r), p.drawing.write(r.Profile))
		paths, err = append(paths, written...), errors.Join(err, failed)
	}
	return paths, err
}
