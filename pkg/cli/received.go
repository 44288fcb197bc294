package cli

import (
	"fmt"
	"time"

	"github.com/google/pprof/profile"
)

// received is what has come of a profile in the making.
type received struct {
	all []*profile.Profile
}

func (s *received) add(p *profile.Profile) {
	if n := len(s.all); n > 0 {
		s.all[n-1].Comments = nil // those of the last slice tell of all
	}
	s.all = append(s.all, p)
}

// merge makes a partial profile of the slices; nil if they have no samples, or do not fit together.
func (s *received) merge(why string, asked time.Duration) *profile.Profile {
	if len(s.all) == 0 {
		return nil
	}
	p, err := profile.Merge(s.all)
	if err != nil || len(p.Sample) == 0 {
		return nil
	}
	p.Comments = append(p.Comments, fmt.Sprintf("%s%s, after %v of %v", partialComment, why,
		time.Duration(p.DurationNanos).Round(100*time.Millisecond), asked))
	return p
}
