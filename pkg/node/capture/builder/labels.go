//go:build linux

package builder

import (
	"encoding/binary"
	"maps"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// labels are the labels of samples. Many samples share one, because the two maps take more memory
// than the rest of a sample.
type labels struct {
	text    map[string][]string
	numbers map[string][]int64
	timed   map[uint32]map[string][]int64 // numbers with the time of a bucket, which all stacks of a bucket share
}

// at returns the numeric labels with the time of a bucket of the given width.
func (l *labels) at(bucket uint32, width time.Duration) map[string][]int64 {
	if known := l.timed[bucket]; known != nil {
		return known
	}
	timed := maps.Clone(l.numbers)
	timed[meta.TimeLabel.Name()] = []int64{int64(bucket) * width.Milliseconds()}
	if l.timed == nil {
		l.timed = map[uint32]map[string][]int64{}
	}
	l.timed[bucket] = timed
	return timed
}

// maxLabelSets limits the sets of labels that later samples can share. Real profiles have one for
// each thread or request.
const maxLabelSets = 1 << 14

// labels returns the labels of a stack: its process and the ones it was sampled with.
func (b *Builder) labels(e *stack.Entry) *labels {
	p := e.Generation.Process
	b.labelKey = b.labelKey[:0]
	add := func(text string, number int64) {
		b.labelKey = binary.AppendUvarint(b.labelKey, uint64(len(text)))
		b.labelKey = append(b.labelKey, text...)
		b.labelKey = binary.AppendVarint(b.labelKey, number)
	}
	add(p.Name, int64(p.NSPID))
	for _, l := range e.Labels {
		add(l.Key, l.Number)
		add(l.Value, 0)
	}
	if known := b.labelSets[string(b.labelKey)]; known != nil {
		return known
	}
	set := &labels{
		text:    map[string][]string{meta.ProcessLabel.Name(): {b.out.Text(p.Name)}},
		numbers: map[string][]int64{meta.PIDLabel.Name(): {int64(p.NSPID)}},
	}
	for _, l := range e.Labels {
		key := b.out.Text(l.Key)
		if l.Number != 0 {
			set.numbers[key] = append(set.numbers[key], l.Number)
			continue
		}
		set.text[key] = append(set.text[key], b.out.Text(l.Value))
	}
	if len(b.labelSets) >= maxLabelSets {
		clear(b.labelSets)
	}
	b.labelSets[string(b.labelKey)] = set
	return set
}
