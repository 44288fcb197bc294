//go:build linux

package process

import (
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
)

// proof is what is known about whose mappings a generation has. They are read some time after the sample that
// asks for them, and the process may have executed another program in between. /proc does not tell which of
// its programs a process runs. A later sample does, and so does the kernel's list of tasks: a process that
// still runs the generation's program after the reading also ran it when the mappings were read.
type proof struct {
	readAt   uint64      // when the mappings had been read, in ns of CLOCK_MONOTONIC; 0 if they were not read
	given    bool        // the mappings are the generation's, not those of a later program
	parent   *Generation // has the same mappings until the process executes a program; may be nil
	previous *Generation // the unproved generation before this one; may be nil
	hidden   []Mapping   // mappings that were read, if a later program was sampled before they were proved
}

// provedBy reports whether a sample proves that the generation's mappings are its own.
func (g *Generation) provedBy(s *record.Sample) bool {
	return !g.proof.given && g.proof.readAt != 0 && s.Time > g.proof.readAt
}

// maxAsking bounds the time for asking which program a process runs. The answer takes some 100 µs, and
// milliseconds on nodes with thousands of threads. Only processes that execute several programs need it.
const maxAsking = time.Second

// runs reports whether a process is known to run the program of a sample still.
func (t *Table) runs(p record.ProcessIdentity) bool {
	if t.Runs == nil || t.asking.Left() <= 0 {
		return false
	}
	defer t.asking.Spend(time.Now())
	return t.Runs(p)
}

// follow makes g the generation after before, which may be nil.
func (g *Generation) follow(before *Generation) {
	if before != nil && before.proof.readAt != 0 && !before.proof.given {
		g.proof.previous = before
	}
}

// hide removes the mappings of a generation, and of those before it, because its process now executes another
// program and nothing has proved that they are not that program's. A forked process has those of its parent.
func (t *Table) hide(g *Generation) {
	for ; g != nil && g.proof.readAt != 0 && !g.proof.given && g.proof.hidden == nil; g = g.proof.previous {
		g.proof.hidden, g.Mappings, g.last = g.Mappings, nil, nil
		if g.proof.parent != nil {
			g.Mappings = g.proof.parent.Mappings
		}
		if g.Mappings == nil {
			t.Unread++
		}
	}
}

// prove records that a generation's mappings are its own. Those of the generation before it are then proved
// too if they are of the same program, or of the one before and differ.
func (t *Table) prove(g *Generation) {
	for {
		g.proof.given = true
		if g.proof.hidden != nil {
			if g.Mappings == nil {
				t.Unread--
			}
			g.Mappings, g.last, g.proof.hidden = g.proof.hidden, nil, nil
		}
		before := g.proof.previous
		g.proof.previous = nil
		if before == nil {
			return
		}
		if before.identity != g.identity && (before.identity.Execs+1 != g.identity.Execs || sameProgram(before.proof.hidden, g.Mappings)) {
			return
		}
		g = before
	}
}

// sameProgram reports whether two readings of a process's mappings may be of the same program. The kernel
// maps the vDSO at a random address for each program that is executed, unless randomization is off.
func sameProgram(a, b []Mapping) bool {
	first, ok := vdso(a)
	second, found := vdso(b)
	return !ok || !found || first == second
}

func vdso(mappings []Mapping) (address uint64, ok bool) {
	for i := range mappings {
		if mappings[i].Path == "[vdso]" {
			return mappings[i].Start, true
		}
	}
	return 0, false
}
