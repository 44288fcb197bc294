package cli

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/google/pprof/profile"
	"github.com/spf13/cobra"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/filter"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/read"
)

// loading is what the commands that read files have in common: how a profile is read and what of it is left.
type loading struct {
	focus, hide, module string
	hideModule          string
	from, to            time.Duration
	sample              string
}

func (l *loading) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&l.focus, "focus", "", "only stacks in which a function's name matches this `expression`")
	f.StringVar(&l.hide, "hide", "", "take out the frames whose name matches this `expression`; their weight goes to the caller")
	f.StringVar(&l.module, "module", "", "only stacks through a library, binary or Go package that matches this `expression`")
	f.StringVar(&l.hideModule, "hide-module", "", "take out the frames of a library, binary or Go package that matches this `expression`")
	f.DurationVar(&l.from, "from", 0, "only what was sampled at this time or later, since the start")
	f.DurationVar(&l.to, "to", 0, "only what was sampled before this time")
	f.StringVar(&l.sample, "sample", "", "`type` of the values to show, if the profile has several; default: as the profile says")
}

func (l *loading) options() (o filter.Options, err error) {
	for _, e := range []struct {
		flag, text string
		to         **regexp.Regexp
	}{{"focus", l.focus, &o.Focus}, {"hide", l.hide, &o.Hide}, {"module", l.module, &o.Module}, {"hide-module", l.hideModule, &o.HideModule}} {
		if e.text == "" {
			continue
		}
		if *e.to, err = regexp.Compile(e.text); err != nil {
			return o, usageError{fmt.Errorf("--%s: %w", e.flag, err)}
		}
	}
	if l.from < 0 || l.to < 0 || l.to > 0 && l.to <= l.from {
		return o, usageError{fmt.Errorf("--from %v --to %v: not a valid range of time", l.from, l.to)}
	}
	o.From, o.To = l.from, l.to
	return o, nil
}

// load reads the file and filters it. What is wrong with the flags is said before the file is read.
func (l *loading) load(path string, stdin io.Reader) (*profile.Profile, error) {
	o, err := l.options()
	if err != nil {
		return nil, err
	}
	p, err := read.File(path, stdin)
	if err != nil {
		return nil, err
	}
	return l.apply(path, p, o)
}

// apply filters a profile, which is called name.
func (l *loading) apply(name string, p *profile.Profile, o filter.Options) (*profile.Profile, error) {
	if l.sample != "" {
		if err := chooseSample(p, l.sample); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	left, err := o.Apply(p)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(left.Sample) == 0 && len(p.Sample) > 0 {
		return nil, fmt.Errorf("%s: nothing is left of it by %v", name, o)
	}
	return left, nil
}

func chooseSample(p *profile.Profile, name string) error {
	var names []string
	for _, t := range p.SampleType {
		if t.Type == name {
			p.DefaultSampleType = name
			return nil
		}
		names = append(names, printable(t.Type))
	}
	return fmt.Errorf("no values of type %q; it has: %s", name, strings.Join(names, ", "))
}

// setPlainUsage is the usage of a command whose flags are all its own.
func setPlainUsage(cmd *cobra.Command) {
	cmd.SetUsageFunc(func(cmd *cobra.Command) error {
		w := cmd.OutOrStderr()
		_, err := fmt.Fprintf(w, "Usage:\n  kubectl pprof %s\n\nExamples:\n%s\n\nFlags:\n%s",
			cmd.Use, cmd.Example, cmd.LocalFlags().FlagUsagesWrapped(helpWidth(w)))
		return err
	})
}

// arguments judges their number as a usage error.
func arguments(least, most int, want string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < least || most >= 0 && len(args) > most {
			return usageError{fmt.Errorf("%s; there are %d arguments", want, len(args))}
		}
		return nil
	}
}
