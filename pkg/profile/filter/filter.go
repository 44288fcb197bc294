// Package filter leaves out parts of a profile, by the words that the command line and the flame graph's page share. Its one
// entry point is Options.Apply, which works on a *profile.Profile and gives another. A function's name is what
// pkg/profile/render shows. It must not know how profiles are read.
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

// Options say what is left of a profile. The zero value leaves everything.
type Options struct {
	Focus  *regexp.Regexp // stacks in which a function's name matches
	Hide   *regexp.Regexp // frames whose function's name matches are taken out; their weight goes to the caller
	Module *regexp.Regexp // stacks with a frame in a matching module: the object file's path, or the package of a Go function
	// HideModule takes frames out by their module, as Hide does by their function.
	HideModule *regexp.Regexp
	From       time.Duration // samples taken at this time or later, since the start
	To         time.Duration // samples taken before this time; 0 is the end
}

// Apply gives the profile that is left, with a comment that says what was asked for. The given one is not changed.
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
	left = left.Compact() // also merges the stacks that have become equal
	meta.Filter.Add(left, o.String())
	return left, nil
}

// String gives the options as they stand on the command line.
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

// cutTime keeps the samples from From up to To. Those that do not say when they were taken are in no
// stretch of time.
func (o Options) cutTime(p *profile.Profile) error {
	end := o.To
	if end == 0 {
		end = 1<<63 - 1
	}
	if o.From < 0 || end <= o.From {
		return fmt.Errorf("--from %v --to %v: there is no time between them", o.From, o.To)
	}
	timed := false
	p.Sample = slices.DeleteFunc(p.Sample, func(s *profile.Sample) bool {
		at, ok := meta.TimeLabel.Lookup(s)
		timed = timed || ok
		return !ok || at < o.From.Milliseconds() || at >= end.Milliseconds()
	})
	if !timed {
		return errors.New("--from and --to need samples with a time, and this profile has none")
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

// keepStacks drops the samples that match not all of the expressions.
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

func inObject(l *profile.Location, module *regexp.Regexp) bool {
	return l.Mapping != nil && l.Mapping.File != "" && module.MatchString(l.Mapping.File)
}

func inPackage(f *profile.Function, module *regexp.Regexp) bool {
	return f != nil && strings.HasSuffix(f.Filename, ".go") && module.MatchString(render.GoPackage(f))
}

// hideFrames takes frames out of all stacks. A stack of which nothing is left stays, without frames, so
// that the sum is what it was.
func (o Options) hideFrames(p *profile.Profile) {
	gone := map[*profile.Location]bool{}
	for _, l := range p.Location {
		object := o.HideModule != nil && inObject(l, o.HideModule)
		if len(l.Line) == 0 { // shown by the name of its object
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
