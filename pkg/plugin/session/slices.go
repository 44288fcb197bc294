package session

import (
	"fmt"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/merge"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// sliceBuffer holds the slices that have arrived of a profile that is being taken.
type sliceBuffer struct {
	all []*profile.Profile
}

// maxSlices bounds the slices that are held before they are merged: those of an hour would take a gigabyte.
const maxSlices = 30

func (b *sliceBuffer) add(p *profile.Profile) {
	if n := len(b.all); n > 0 {
		b.all[n-1].Comments = nil // those of the last slice describe all
	}
	b.all = append(b.all, p)
	if len(b.all) == maxSlices {
		if sum, err := merge.Profiles(b.all...); err == nil {
			b.all = []*profile.Profile{sum}
		}
	}
}

// merge returns the slices as one partial profile. It returns nil if they have no samples or cannot be merged.
func (b *sliceBuffer) merge(why string, asked time.Duration) *profile.Profile {
	if len(b.all) == 0 {
		return nil
	}
	p, err := merge.Profiles(b.all...)
	if err != nil || len(p.Sample) == 0 {
		return nil
	}
	meta.Partial.Add(p, fmt.Sprintf("%s, after %v of %v", why, time.Duration(p.DurationNanos).Round(100*time.Millisecond), asked))
	return p
}
