//go:build linux

package capture

import (
	"maps"
	"slices"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang"
)

// goStacks adds up goroutines with equal stacks and labels.
type goStacks struct {
	stacks *stackTable
	key    []byte
}

// ends of goroutines' stacks.
var goEnds = map[golang.End]stackEnd{
	golang.Complete: complete, golang.Truncated: truncated, golang.Broken: broken,
	golang.NoStack: running, golang.Torn: torn,
}

// entry gives the entry of a goroutine's stack and labels; nil if there is no room.
func (s *goStacks) entry(p *goProcess, g *golang.Goroutine) *stackEntry {
	s.key = s.key[:0]
	for _, text := range []string{g.Status.String(), g.Reason, g.Creator, g.CreatedAt} {
		s.key = append(append(s.key, text...), 0)
	}
	for _, l := range g.Labels {
		s.key = append(append(append(append(s.key, l.Key...), 0), l.Value...), 0)
	}
	e := s.stacks.find(p.generation, nil, g.Stack, goEnds[g.End], string(s.key), nil)
	if e != nil && e.labels == nil { // it is new
		e.user, e.labels = slices.Clone(g.Stack), goLabels(g)
	}
	return e
}

// goLabels are what is told of a goroutine, its own labels last: they may have the same names.
func goLabels(g *golang.Goroutine) []label {
	all := []label{{key: "state", value: g.Status.String()}}
	if g.Reason != "" {
		all = append(all, label{key: "wait reason", value: g.Reason})
	}
	if g.Creator != "" {
		all = append(all, label{key: "created by", value: g.Creator})
	}
	if g.CreatedAt != "" {
		all = append(all, label{key: "created at", value: g.CreatedAt})
	}
	for _, l := range g.Labels {
		all = append(all, label{key: l.Key, value: l.Value})
	}
	return all
}

// goroutineNumbers tell one goroutine from others with the same stack.
type goroutineNumbers struct {
	id, parent int64
	waited     int64 // seconds, 0 if not known
}

func numbersOf(g *golang.Goroutine, now uint64) goroutineNumbers {
	n := goroutineNumbers{id: int64(g.ID), parent: int64(g.Parent)}
	if g.Since > 0 && uint64(g.Since) < now {
		n.waited = int64((now - uint64(g.Since)) / uint64(time.Second))
	}
	return n
}

// addEach adds goroutines of one stack apart.
func addEach(b *profileBuilder, e *stackEntry, each []goroutineNumbers) {
	if len(each) == 0 {
		return
	}
	whole := b.sample(e)
	for _, n := range each {
		s := *whole // shares all but what differs
		s.NumLabel = maps.Clone(whole.NumLabel)
		s.NumLabel["goroutine"] = []int64{n.id}
		if n.parent != 0 {
			s.NumLabel["parent"] = []int64{n.parent}
		}
		if n.waited != 0 {
			s.NumLabel["wait"], s.NumUnit = []int64{n.waited}, waitSeconds
		}
		b.append(&s, amount{count: 1})
	}
}

var waitSeconds = map[string][]string{"wait": {"seconds"}}
