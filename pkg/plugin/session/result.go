package session

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/slice"
)

// Outcome holds the results of a session and describes what it left in the cluster.
type Outcome struct {
	Results []*Result // one for each request, in their order
	// LeftContainer is the name of the ephemeral container that was added to the pod, or "". Its
	// entry in the pod's spec stays.
	LeftContainer string
	// KeptFor is how long a profiler that the session started waits for further requests.
	KeptFor time.Duration

	profiler *profiler // nil if the program itself made the profiles
	finished chan error
}

// Result is the profile of one type, or the reason why there is none.
type Result struct {
	Request   api.Request
	Profile   *profile.Profile // nil if there is none
	Err       error            // why there is none
	slices    slice.Sum
	slicesErr error // why the slices end before sampling did
}

func newResults(requests []api.Request) []*Result {
	var results []*Result
	for _, r := range requests {
		results = append(results, &Result{Request: r})
	}
	return results
}

// Finish returns when the profiler has ended, or been left waiting, and a Job is deleted. That has
// begun before, so that it costs no time. It does nothing for a nil outcome.
func (o *Outcome) Finish() error {
	if o == nil || o.finished == nil {
		return nil
	}
	return <-o.finished
}

// ErrMissing is part of the error of Missing if there are other profiles.
var ErrMissing = errors.New("not all of the profiles were taken")

// Missing returns an error if there are types without a profile.
func (o *Outcome) Missing() error {
	var texts []string
	var first error
	for _, r := range o.Results {
		if r.Err != nil {
			texts = append(texts, fmt.Sprintf("\n  %s: %v", r.Request.Type, r.Err))
			if first == nil {
				first = r.Err
			}
		}
	}
	switch {
	case first == nil:
		return nil
	case len(o.Results) == 1:
		return first
	case len(texts) == len(o.Results):
		return fmt.Errorf("no profile was taken:%s", strings.Join(texts, ""))
	}
	return fmt.Errorf("%w:%s", ErrMissing, strings.Join(texts, ""))
}

// failure returns an error if there is no profile at all.
func (o *Outcome) failure() error {
	if slices.ContainsFunc(o.Results, func(r *Result) bool { return r.Profile != nil }) {
		return nil
	}
	return o.Missing()
}

// Partial returns the first reason why one of the profiles is partial, or "".
func (o *Outcome) Partial() string {
	for _, r := range o.Results {
		if r.Profile == nil {
			continue
		}
		if reason := meta.Partial.Get(r.Profile); reason != "" && len(o.Results) > 1 {
			return r.Request.Type.Name + ": " + reason
		} else if reason != "" {
			return reason
		}
	}
	return ""
}

// LeftChanged returns what the profiler could not restore in the target, or "".
func (o *Outcome) LeftChanged() string {
	for _, r := range o.Results {
		if r.Profile != nil {
			if left := meta.LeftChanged.Get(r.Profile); left != "" {
				return left
			}
		}
	}
	return ""
}

// describe adds comments to the profiles that name their type and target.
func (o *Outcome) describe(t *target.Target) {
	for _, r := range o.Results {
		if r.Profile != nil {
			describe(r.Profile, r.Request.Type.Name, t)
		}
	}
}

func describe(p *profile.Profile, typ string, t *target.Target) {
	meta.Type.Add(p, typ)
	meta.Pod.Add(p, t.Namespace()+"/"+t.Pod.Name)
	meta.Container.Add(p, t.Container)
	meta.Node.Add(p, t.Node())
	meta.Image.Add(p, t.Image)
}

// refused reports whether the profiler itself said why there is no profile.
func refused(err error) bool { return errors.As(err, new(*api.Error)) }
