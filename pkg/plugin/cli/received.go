package cli

import (
	"fmt"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/merge"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// received is what has come of a profile in the making.
type received struct {
	all []*profile.Profile
}

// maxSlices is how many slices are kept apart: those of an hour would take a gigabyte.
const maxSlices = 30

func (r *received) add(p *profile.Profile) {
	if n := len(r.all); n > 0 {
		r.all[n-1].Comments = nil // those of the last slice tell of all
	}
	r.all = append(r.all, p)
	if len(r.all) == maxSlices {
		if sum, err := merge.Profiles(r.all...); err == nil {
			r.all = []*profile.Profile{sum}
		}
	}
}

// merge makes a partial profile of the slices; nil if they have no samples, or do not fit together.
func (r *received) merge(why string, asked time.Duration) *profile.Profile {
	if len(r.all) == 0 {
		return nil
	}
	p, err := merge.Profiles(r.all...)
	if err != nil || len(p.Sample) == 0 {
		return nil
	}
	p.Comments = append(p.Comments, fmt.Sprintf("%s%s, after %v of %v", api.PartialComment, why,
		time.Duration(p.DurationNanos).Round(100*time.Millisecond), asked))
	return p
}
