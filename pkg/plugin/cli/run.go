package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/launch"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/version"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// Run takes the steps from a name to a file. The end of early ends sampling, or, before that has
// begun, everything; the end of ctx, from which early derives, ends everything. What was created
// is deleted in any case.
func (o *Options) Run(ctx, early context.Context) error {
	err := o.run(ctx, early)
	if errors.Is(err, errPartial) || errors.Is(err, errMissing) {
		return err // it was too late for an interruption
	}
	return interrupted(ctx, err)
}

// interrupted is errInterrupted if that is why a step under the context failed.
func interrupted(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errInterrupted) {
		return errInterrupted
	}
	return err
}

func (o *Options) run(ctx, early context.Context) (err error) {
	ui := newProgress(o.ErrOut, o.quiet, o.verbose)
	defer ui.clear()
	config, clients, err := o.connect()
	if err != nil {
		return err
	}
	files := o.typeFiles()
	if !o.dryRun {
		for _, f := range files {
			if err := openFiles(f, o.Out); err != nil {
				return err
			}
		}
	}
	if o.changed("duration") && !slices.ContainsFunc(o.requests, func(r api.Request) bool { return !instant(r) }) {
		ui.note("--duration does not matter: what is asked for is read at once")
	}
	t, taken, err := o.capture(ctx, early, ui, config, clients)
	if taken == nil {
		return err // none if it is a dry run
	}
	defer func() { err = errors.Join(err, taken.finish()) }()
	if err != nil {
		return err
	}
	ui.step("writing the profile")
	paths, err := o.write(taken.parts, files, t)
	ui.clear()
	if !o.quiet {
		summarize(o.ErrOut, taken.parts, paths, taken.session)
		if o.launch.Keep > 0 && taken.session != nil && !taken.session.Reused {
			fmt.Fprintf(o.ErrOut, "the profiler waits %v for another profile of this container\n", o.launch.Keep)
		}
	}
	if err != nil {
		return err
	}
	if o.open && len(paths) > 0 {
		if err := openFile(paths[0]); err != nil {
			return err
		}
	}
	if left := leftChanged(taken.parts); left != "" {
		return fmt.Errorf("the target is not as it was: %s", left)
	}
	if err := missing(taken.parts); err != nil {
		return err
	}
	if reason := partialOf(taken.parts); reason != "" && early.Err() == nil {
		return fmt.Errorf("%w: %s", errPartial, reason)
	}
	return nil
}

// capture finds the target and takes its profiles, which say what they are of. As take, it returns nothing taken if there
// was no session.
func (o *Options) capture(ctx, early context.Context, ui *progress, config *rest.Config, clients target.Clients) (*target.Target, *taken, error) {
	ui.step("looking for %s", o.query.Name)
	t, err := target.Resolve(early, clients, o.query)
	if err != nil {
		return nil, nil, interrupted(early, fmt.Errorf("%w%s", err, o.hint))
	}
	for _, note := range t.Notes {
		ui.note("%s", note)
	}
	var taken *taken
	if o.port != "" {
		taken, err = o.takeFromEndpoint(early, ui, config, t)
	} else {
		taken, err = o.takeWithRestarts(ctx, early, ui, config, clients.Core, t)
	}
	if taken == nil {
		return t, nil, interrupted(early, err)
	}
	if err := failed(taken.parts); errors.Is(err, errStopped) {
		return t, taken, interrupted(early, err)
	} else if err != nil {
		return t, taken, fmt.Errorf("profiling %s: %w", t, err)
	}
	for _, p := range taken.parts {
		if p.profile != nil {
			p.profile.Comments = append(p.profile.Comments, describe(p.request.Type, t)...)
		}
	}
	return t, taken, nil
}

// write writes the profiles that have come and gives the paths of those that are files. One that fails does not keep the
// others from being written.
func (o *Options) write(parts []*part, files [][]*file, t *target.Target) (paths []string, err error) {
	for i, p := range parts {
		if p.profile == nil {
			continue
		}
		written, failed := writeFiles(files[i], fileName(t, p), o.drawing.write(p.profile))
		paths, err = append(paths, written...), errors.Join(err, failed)
	}
	return paths, err
}

// connect makes the client. The limits are those of a person at a terminal, who does not wait
// between a few requests.
func (o *Options) connect() (*rest.Config, target.Clients, error) {
	var clients target.Clients
	config, err := o.config.ToRESTConfig()
	if err != nil {
		return nil, clients, err
	}
	config.QPS, config.Burst = 50, 100
	config.UserAgent = "kubectl-pprof/" + version.Version
	config.WarningHandler = rest.NoWarnings{} // what matters in them is said by a dry run's refusal
	if o.query.Namespace == "" {
		if o.query.Namespace, _, err = o.config.ToRawKubeConfigLoader().Namespace(); err != nil {
			return nil, clients, err
		}
	}
	if clients.Core, err = kubernetes.NewForConfig(config); err != nil {
		return nil, clients, err
	}
	clients.Objects, err = dynamic.NewForConfig(config)
	return config, clients, err
}

func printYAML(w io.Writer, plan *launch.Plan) error {
	if plan.Object == nil {
		_, err := fmt.Fprintln(w, "# nothing: a kept profiler would be used")
		return err
	}
	text, err := yaml.Marshal(plan.Object)
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

// describe says in the profile what it is of.
func describe(typ string, t *target.Target) []string {
	return []string{
		"type: " + typ,
		"pod: " + t.Namespace() + "/" + t.Pod.Name,
		"container: " + t.Container,
		"node: " + t.Node(),
		"image: " + t.Image,
	}
}

// partial is the reason why a profile is not whole, "" if it is.
func partial(p *profile.Profile) string {
	for _, c := range p.Comments {
		if reason, ok := strings.CutPrefix(c, api.PartialComment); ok {
			return reason
		}
	}
	return ""
}

// fileName is the name of an output, without its ending, if the user gives none.
func fileName(t *target.Target, p *part) string {
	begin := time.Unix(0, p.profile.TimeNanos).Format("20060102-150405")
	return fmt.Sprintf("%s-%s-%s-%s", t.Pod.Name, t.Container, p.request.Type, begin)
}
