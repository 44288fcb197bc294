package read

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// Limits on the expressions drop_frames and keep_frames of a profile and on the names that they are compared with. Those of
// tcmalloc and of the older formats have 1,100 bytes and 1,300 states; 30,000 functions are compared in less than 0.2 s.
const (
	maxPruneExpr   = 4096 // bytes
	maxPruneStates = 5000
	maxPruneName   = 64 << 10 // bytes of one name
	maxPruneBraces = 1 << 20  // opening parentheses in all names; the library allocates memory for each
	maxPruneTime   = 3 * time.Second
)

// dropUninteresting removes from all stacks the frames that the profile itself calls uninteresting (drop_frames and keep_frames
// in profile.proto): a function that matches, such as malloc, and all that it calls. go tool pprof does so with every profile.
// Where it cannot be done, the profile is unchanged and gets a note.
func dropUninteresting(p *profile.Profile) {
	if p.DropFrames == "" {
		return
	}
	err := checkPrune(p)
	if err == nil {
		err = p.RemoveUninteresting()
	}
	if err != nil {
		meta.FileNote.Add(p, fmt.Sprintf("the frames that its drop_frames names are shown: %v", err))
	}
}

// checkPrune returns an error if comparing the names of the functions with the expressions would cost too much.
func checkPrune(p *profile.Profile) error {
	drop, err := compilePrune(p.DropFrames)
	if err != nil {
		return err
	}
	keep, err := compilePrune(p.KeepFrames)
	if err != nil {
		return err
	}
	braces, end := 0, time.Now().Add(maxPruneTime)
	for _, f := range p.Function {
		if len(f.Name) > maxPruneName {
			return fmt.Errorf("a function's name has %d bytes; at most %d are compared", len(f.Name), maxPruneName)
		}
		if braces += strings.Count(f.Name, "("); braces > maxPruneBraces {
			return fmt.Errorf("the names of functions have more than %d parentheses", maxPruneBraces)
		}
		drop.MatchString(f.Name)
		keep.MatchString(f.Name)
		if time.Now().After(end) {
			return fmt.Errorf("comparing the names takes longer than %v", maxPruneTime)
		}
	}
	return nil
}

// compilePrune compiles an expression as the library does, within limits.
func compilePrune(expr string) (*regexp.Regexp, error) {
	if len(expr) > maxPruneExpr {
		return nil, fmt.Errorf("it has %d bytes; at most %d are possible", len(expr), maxPruneExpr)
	}
	expr = "^(" + expr + ")$"
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, err
	}
	if n := states(tree); n > maxPruneStates {
		return nil, fmt.Errorf("it repeats too much: %d states, of at most %d", n, maxPruneStates)
	}
	return regexp.Compile(expr)
}

// states estimates the number of states of a compiled expression. Package syntax limits how deep expressions are nested and how
// often they repeat.
func states(e *syntax.Regexp) int {
	n := 1 + len(e.Rune)/2
	for _, sub := range e.Sub {
		n += states(sub)
	}
	if e.Op == syntax.OpRepeat {
		n *= max(e.Min, e.Max, 1)
	}
	return n
}
