//go:build linux

package profiler

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/logs"
)

// encodeWithin encodes the profile in at most room bytes. If it is larger, it drops the samples with the smallest values, also
// from p, and adds a comment.
func encodeWithin(p *profile.Profile, room int) ([]byte, error) {
	value := max(slices.IndexFunc(p.SampleType, func(t *profile.ValueType) bool { return t.Type == p.DefaultSampleType }), 0)
	all := slices.Clone(p.Sample)
	slices.SortStableFunc(all, func(a, b *profile.Sample) int { return cmp.Compare(b.Value[value], a.Value[value]) })
	for n := len(all); ; n = n * 3 / 4 {
		q := p
		if n < len(all) {
			p.Sample = all[:n]
			q = p.Compact()
			meta.Partial.Add(q, fmt.Sprintf("the container's log has no room for %d of its %d stacks, those with the smallest values", len(all)-n, len(all)))
		}
		var data bytes.Buffer
		if err := q.Write(&data); err != nil {
			return nil, err
		}
		if data.Len() <= room {
			return data.Bytes(), nil
		}
		if n == 0 {
			return nil, logs.ErrFull
		}
	}
}
