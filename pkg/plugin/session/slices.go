package session

import (
	"fmt"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// addSlice adds a slice that has arrived.
func (r *Result) addSlice(data []byte) error {
	r.slicesErr = r.slices.Add(data)
	return r.slicesErr
}

// partialProfile returns the slices that have arrived as a partial profile, or nil if they have no
// samples. why is the reason why it is partial. The error is why slices are missing or do not make a
// profile.
func (r *Result) partialProfile(why string) (*profile.Profile, error) {
	p, err := r.slices.Profile()
	if err != nil {
		return nil, err
	}
	if p == nil || len(p.Sample) == 0 {
		return nil, r.slicesErr
	}
	took := time.Duration(p.DurationNanos).Round(100 * time.Millisecond)
	partial := fmt.Sprintf("%s, after %v of %v", why, took, r.Request.Duration)
	if r.slicesErr != nil {
		partial += fmt.Sprintf("; later samples are missing: %v", r.slicesErr)
	}
	meta.Partial.Add(p, partial)
	return p, r.slicesErr
}
