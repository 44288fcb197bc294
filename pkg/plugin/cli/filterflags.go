package cli

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/google/pprof/profile"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/filter"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

// filterFlags choose a part of a profile. All commands that read files have them.
type filterFlags struct {
	focus, hide, module string
	hideModule          string
	from, to            time.Duration
	sample              string
}

func (f *filterFlags) addTo(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.focus, "focus", "", "keep stacks with a function whose name matches this regular `expression`")
	flags.StringVar(&f.hide, "hide", "", "remove frames whose name matches this regular `expression`; callers keep their weight")
	flags.StringVar(&f.module, "module", "", "keep stacks through a library, binary or Go package that matches this regular `expression`")
	flags.StringVar(&f.hideModule, "hide-module", "", "remove frames of libraries, binaries or Go packages that match this regular `expression`")
	flags.DurationVar(&f.from, "from", 0, "keep samples taken at this time or later, counted from the start of the profile")
	flags.DurationVar(&f.to, "to", 0, "keep samples taken before this time")
	flags.StringVar(&f.sample, "sample", "", "`type` of the values to show if the profile has several; default: the profile's own default")
}

// filter checks the flags and returns what they choose.
func (f *filterFlags) filter() (profileFilter, error) {
	chosen := profileFilter{sample: f.sample}
	o := &chosen.options
	for _, e := range []struct {
		flag, text string
		compiled   **regexp.Regexp
	}{{"focus", f.focus, &o.Focus}, {"hide", f.hide, &o.Hide}, {"module", f.module, &o.Module}, {"hide-module", f.hideModule, &o.HideModule}} {
		if e.text == "" {
			continue
		}
		var err error
		if *e.compiled, err = regexp.Compile(e.text); err != nil {
			return chosen, usageError{fmt.Errorf("--%s: %w", e.flag, err)}
		}
	}
	if f.from < 0 || f.to < 0 || f.to > 0 && f.to <= f.from {
		return chosen, usageError{fmt.Errorf("--from %v --to %v: not a valid range of time", f.from, f.to)}
	}
	o.From, o.To = f.from, f.to
	return chosen, nil
}

// profileFilter chooses a part of a profile and the type of the values that are shown.
type profileFilter struct {
	options filter.Options
	sample  string // "" for the profile's default
}

// readFile reads the chosen part of a file, or of stdin if the path is "-". It checks the flags first.
func (f *filterFlags) readFile(path string, streams genericiooptions.IOStreams) (*profile.Profile, error) {
	chosen, err := f.filter()
	if err != nil {
		return nil, err
	}
	p, err := readProfile(path, streams)
	if err != nil {
		return nil, err
	}
	return chosen.apply(path, p)
}

// apply returns the chosen part of a profile. The name is for errors.
func (f profileFilter) apply(name string, p *profile.Profile) (*profile.Profile, error) {
	if f.sample != "" {
		if err := setDefaultSample(p, f.sample); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	left, err := f.options.Apply(p)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(left.Sample) == 0 && len(p.Sample) > 0 {
		return nil, fmt.Errorf("%s: no samples are left with %v", name, f.options)
	}
	return left, nil
}

func setDefaultSample(p *profile.Profile, name string) error {
	var names []string
	for _, t := range p.SampleType {
		if t.Type == name {
			p.DefaultSampleType = name
			meta.ChosenValues.Remove(p)
			meta.ChosenValues.Add(p, name)
			return nil
		}
		names = append(names, render.Printable(t.Type))
	}
	return fmt.Errorf("no values of type %q; it has: %s", name, strings.Join(names, ", "))
}
