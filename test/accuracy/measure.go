//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/builder"
	"github.com/kubectl-pprof/kubectl-pprof/test/accuracy/compare"
)

// row is the result for one program.
type row struct {
	Program string
	compare.Result
	Complete float64  // share of stacks that reach the thread's first function, or the one at which runtime/pprof ends them
	Named    float64  // share of frames with a name
	Missed   []string // limits that were exceeded
}

// The limits.
const (
	maxAboveFloor  = 0.02
	minSamples     = 20_000
	maxPoints      = 2
	minComplete    = 0.99
	minNamedGo     = 0.995
	minNamedNative = 0.98
)

func (p program) measure(ctx context.Context, o options) (row, error) {
	r := row{Program: p.name}
	path, err := p.make(ctx, o)
	if errors.Is(err, exec.ErrNotFound) {
		r.Missed = []string{"no compiler: " + err.Error()}
		if p.build[0] == "rustc" { // the only compiler that is optional
			r.Missed = nil
			r.Program += " (left out, there is no rustc)"
		}
		return r, nil
	}
	if err != nil {
		return r, err
	}
	var ours *profile.Profile
	var theirs, mine []compare.Stack
	if p.golang {
		var reference *profile.Profile
		if ours, reference, err = profileGo(ctx, path, p.args, o.goDuration); err == nil {
			theirs, mine = goStacks(reference), goStacks(ours)
		}
	} else {
		if ours, theirs, err = profileNative(ctx, path, o.nativeDuration); err == nil {
			mine = nativeStacks(ours, path)
		}
	}
	if err != nil {
		return r, err
	}
	r.Result = compare.Compare(mine, theirs)
	r.Complete, r.Named = completeness(ours)
	r.judge(p.golang)
	return r, nil
}

func (r *row) judge(golang bool) {
	miss := func(format string, args ...any) { r.Missed = append(r.Missed, fmt.Sprintf(format, args...)) }
	if min(r.Ours, r.Reference) < minSamples {
		miss("fewer than %d samples", minSamples)
	}
	if r.Distance > r.Floor+maxAboveFloor {
		miss("distance %.3f above the floor", r.Distance-r.Floor)
	}
	if r.Points > maxPoints {
		miss("%s", r.Worst)
	}
	if len(r.Missing) > 0 {
		miss("only in one: %s", strings.Join(r.Missing[:min(3, len(r.Missing))], ", "))
	}
	if r.Complete < minComplete {
		miss("%.2f %% complete", 100*r.Complete)
	}
	named := minNamedNative
	if golang {
		named = minNamedGo
	}
	if r.Named < named {
		miss("%.2f %% named", 100*r.Named)
	}
}

// completeness returns the share of stacks that are not marked as ending early, and the share of
// frames with a name.
func completeness(p *profile.Profile) (complete, named float64) {
	var stacks, whole, frames, withName int64
	for _, s := range p.Sample {
		n := s.Value[0]
		stacks += n
		switch root := s.Location[len(s.Location)-1].Line[0].Function.Name; root {
		case builder.BrokenStack, builder.Truncated:
		default:
			whole += n
		}
		for _, l := range s.Location {
			for _, line := range l.Line {
				frames += n
				if !strings.HasPrefix(line.Function.Name, "[") {
					withName += n
				}
			}
		}
	}
	if stacks == 0 {
		return 0, 0
	}
	return float64(whole) / float64(stacks), float64(withName) / float64(frames)
}
