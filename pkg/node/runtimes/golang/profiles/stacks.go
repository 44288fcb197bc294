//go:build linux

package profiles

import (
	"maps"
	"slices"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/builder"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// stacks adds up goroutines with equal stacks and labels.
type stacks struct {
	stacks *stack.Table
	key    []byte
}

// ends maps the ends of goroutines' stacks to those of all stacks.
var ends = map[golang.End]stack.End{
	golang.Complete: stack.Complete, golang.Truncated: stack.Truncated, golang.Broken: stack.Broken,
	golang.NoStack: stack.Running, golang.Torn: stack.Torn,
}

// entry returns the table's entry for a goroutine's stack and labels, or nil if the table is full.
func (s *stacks) entry(p *reader, g *golang.Goroutine) *stack.Entry {
	s.key = s.key[:0]
	for _, text := range []string{g.Status.String(), g.Reason, g.Creator, g.CreatedAt} {
		s.key = append(append(s.key, text...), 0)
	}
	for _, l := range g.Labels {
		s.key = append(append(append(append(s.key, l.Key...), 0), l.Value...), 0)
	}
	e := s.stacks.FindOrAdd(p.generation, nil, record.NativeStack(g.Stack), ends[g.End], string(s.key), nil)
	if e != nil && e.Labels == nil { // it is new
		e.User, e.Labels = slices.Clone(record.NativeStack(g.Stack)), labelsOf(g)
	}
	return e
}

// labelsOf returns a goroutine's labels: ours first, because its own may have the same names.
func labelsOf(g *golang.Goroutine) []record.Label {
	all := []record.Label{{Key: meta.StateLabel.Name(), Value: g.Status.String()}}
	if g.Reason != "" {
		all = append(all, record.Label{Key: meta.WaitReasonLabel.Name(), Value: g.Reason})
	}
	if g.Creator != "" {
		all = append(all, record.Label{Key: meta.CreatedByLabel.Name(), Value: g.Creator})
	}
	if g.CreatedAt != "" {
		all = append(all, record.Label{Key: meta.CreatedAtLabel.Name(), Value: g.CreatedAt})
	}
	for _, l := range g.Labels {
		all = append(all, record.Label{Key: l.Key, Value: l.Value})
	}
	return all
}

// goroutineNumbers distinguish a goroutine from others with the same stack.
type goroutineNumbers struct {
	id, parent int64
	waited     int64 // in seconds; 0 if it is not known
}

func numbersOf(g *golang.Goroutine, now uint64) goroutineNumbers {
	n := goroutineNumbers{id: int64(g.ID), parent: int64(g.Parent)}
	if g.Since > 0 && uint64(g.Since) < now {
		n.waited = int64((now - uint64(g.Since)) / uint64(time.Second))
	}
	return n
}

// addEach adds a sample for each of the goroutines of one stack.
func addEach(b *builder.Builder, e *stack.Entry, each []goroutineNumbers) {
	if len(each) == 0 {
		return
	}
	whole := b.NewSample(e)
	for _, n := range each {
		s := *whole // shares all but what differs
		s.NumLabel = maps.Clone(whole.NumLabel)
		s.NumLabel[meta.GoroutineLabel.Name()] = []int64{n.id}
		if n.parent != 0 {
			s.NumLabel[meta.ParentLabel.Name()] = []int64{n.parent}
		}
		if n.waited != 0 {
			s.NumLabel[meta.WaitLabel.Name()], s.NumUnit = []int64{n.waited}, waitSeconds
		}
		b.Append(&s, stack.Amount{Count: 1})
	}
}

var waitSeconds = meta.WaitLabel.Units()
