// Package filter reduces a profile to a part of it: by function, module or time. Its entry point is Options.Apply. The options are
// the flags of the command line, and the page that package render writes has the same ones. Functions are matched by the names
// that pkg/profile/render shows.
package filter

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

// Options select a part of a profile. The zero value selects everything.
type Options struct {
	Focus  *regexp.Regexp // keep stacks with a function whose name matches
	Hide   *regexp.Regexp // remove frames whose function name matches; their values go to the caller
	Module *regexp.Regexp // keep stacks with a frame in a matching module: the path of an object file, or a Go package
	// HideModule removes frames whose module matches; their values go to the caller.
	HideModule *regexp.Regexp
	From       time.Duration // keep samples taken at this time or later, relative to the start
	To         time.Duration // keep samples taken before this time; 0 means the end
}

// Apply returns the selected part of the profile, with a comment that names the options. The given profile is not changed.
func (o Options) Apply(p *profile.Profile) (*profile.Profile, error) {
	if o == (Options{}) {
		return p, nil
	}
	left := p.Copy()
	if o.From != 0 || o.To != 0 {
		if err := o.cutTime(left); err != nil {
			return nil, err
		}
	}
	if o.Focus != nil || o.Module != nil {
		o.keepStacks(left)
	}
	if o.Hide != nil || o.HideModule != nil {
		o.hideFrames(left)
	}
	left = left.Compact() // merges stacks that have become equal, too
	meta.Filter.Add(left, o.String())
	return left, nil
}

// String returns the options as command line flags.
func (o Options) String() string {
	var words []string
	for _, e := range []struct {
		flag string
		rx   *regexp.Regexp
	}{{"--focus", o.Focus}, {"--hide", o.Hide}, {"--module", o.Module}, {"--hide-module", o.HideModule}} {
		if e.rx != nil {
			words = append(words, e.flag, e.rx.String())
		}
	}
	if o.From != 0 {
		words = append(words, "--from", o.From.String())
	}
	if o.To != 0 {
		words = append(words, "--to", o.To.String())
	}
	return strings.Join(words, " ")
}

// cutTime keeps the samples from From up to To. Samples without a time are removed.
func (o Options) cutTime(p *profile.Profile) error {
	end := o.To
	if end == 0 {
		end = 1<<63 - 1
	}
	if o.From < 0 || end <= o.From {
		return fmt.Errorf("--from %v --to %v: not a valid range of time", o.From, o.To)
	}
	timed := false
	p.Sample = slices.DeleteFunc(p.Sample, func(s *profile.Sample) bool {
		at, ok := meta.TimeLabel.Lookup(s)
		timed = timed || ok
		return !ok || at < o.From.Milliseconds() || at >= end.Milliseconds()
	})
	if !timed {
		return errors.New("--from and --to need samples with a time, which this profile does not have")
	}
	if p.DurationNanos > 0 {
		length := min(end, time.Duration(p.DurationNanos)) - o.From
		p.DurationNanos = max(0, int64(length))
	}
	if p.TimeNanos != 0 {
		p.TimeNanos += int64(o.From)
	}
	return nil
}

// keepStacks keeps the samples that match Focus and Module.
func (o Options) keepStacks(p *profile.Profile) {
	focused, inModule := map[*profile.Location]bool{}, map[*profile.Location]bool{}
	for _, l := range p.Location {
		focused[l] = o.Focus == nil || slices.ContainsFunc(render.FrameNames(l), o.Focus.MatchString)
		inModule[l] = o.Module == nil || inObject(l, o.Module) ||
			slices.ContainsFunc(l.Line, func(line profile.Line) bool { return inPackage(line.Function, o.Module) })
	}
	p.Sample = slices.DeleteFunc(p.Sample, func(s *profile.Sample) bool {
		return !slices.ContainsFunc(s.Location, func(l *profile.Location) bool { return focused[l] }) ||
			!slices.ContainsFunc(s.Location, func(l *profile.Location) bool { return inModule[l] })
	})
}

// inObject reports whether a location is in an object file whose path matches.
func inObject(l *profile.Location, module *regexp.Regexp) bool {
	return l.Mapping != nil && l.Mapping.File != "" && module.MatchString(l.Mapping.File)
}

// inPackage reports whether a function is in a Go package whose import path matches.
func inPackage(f *profile.Function, module *regexp.Regexp) bool {
	return f != nil && strings.HasSuffix(f.Filename, ".go") && module.MatchString(render.GoPackage(f))
}

// hideFrames removes frames that match Hide or HideModule from all stacks. A stack that loses all its frames stays, so that the
// total does not change.
func (o Options) hideFrames(p *profile.Profile) {
	gone := map[*profile.Location]bool{}
	for _, l := range p.Location {
		object := o.HideModule != nil && inObject(l, o.HideModule)
		if len(l.Line) == 0 { // shown by the name of its object file
			gone[l] = object || o.Hide != nil && slices.ContainsFunc(render.FrameNames(l), o.Hide.MatchString)
			continue
		}
		l.Line = slices.DeleteFunc(l.Line, func(line profile.Line) bool {
			f := line.Function
			return object || f != nil && o.Hide != nil && o.Hide.MatchString(render.FunctionName(f)) || o.HideModule != nil && inPackage(f, o.HideModule)
		})
		gone[l] = len(l.Line) == 0
	}
	for _, s := range p.Sample {
		s.Location = slices.DeleteFunc(s.Location, func(l *profile.Location) bool { return gone[l] })
	}
}
