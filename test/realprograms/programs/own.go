package programs

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// Comparison is an amount that was read from outside, and the least and the most that the program itself said around that
// time.
type Comparison struct {
	What  string `json:"what"`
	Least int64  `json:"least"`
	Ours  int64  `json:"ours"`
	Most  int64  `json:"most"`
	Off   string `json:"off,omitempty"` // what is wrong with it
}

func (c Comparison) String() string {
	return fmt.Sprintf("%s: %d from outside, %d to %d by itself", c.What, c.Ours, c.Least, c.Most)
}

// tolerance is how far an amount that goes up and down may lie beyond what the program said.
const tolerance = 0.05

// near compares an amount that goes up and down.
func near(what string, ours int64, own ...int64) Comparison {
	c := Comparison{What: what, Least: slices.Min(own), Ours: ours, Most: slices.Max(own)}
	if got := float64(ours); got < math.Floor(float64(c.Least)*(1-tolerance)) || got > math.Ceil(float64(c.Most)*(1+tolerance)) {
		c.Off = fmt.Sprintf("more than %.0f %% off", 100*tolerance)
	}
	return c
}

// between compares amounts that only grow, so that those of each stack must lie between the program's own.
func between(what string, low, ours, high map[string]int64) Comparison {
	c := Comparison{What: what + ", by stack", Least: sum(low), Ours: sum(ours), Most: sum(high)}
	stacks, outside := map[string]bool{}, 0
	for _, amounts := range []map[string]int64{low, ours, high} {
		for stack := range amounts {
			stacks[stack] = true
		}
	}
	for stack := range stacks {
		// Estimates are rounded to whole bytes: one for each reading of a difference.
		if n := ours[stack]; n < low[stack]-2 || n > high[stack]+2 {
			outside++
		}
	}
	if outside > 0 || sum(ours) == 0 {
		c.Off = fmt.Sprintf("%d of %d stacks have amounts that are not between", outside, len(stacks))
	}
	return c
}

// steady compares amounts by stack of a program that rests: where it says the same before and after, so must we, but for
// what runs a moment now and then. It gives false if too little stays as it is.
func steady(what string, before, ours, after map[string]int64) (Comparison, bool) {
	c := Comparison{What: what + " of stacks that stay as they are"}
	wrong := int64(0)
	for stack, n := range before {
		// Who asks the program has it run other goroutines than there are meanwhile.
		if n != after[stack] || strings.Contains(stack, "net/http/pprof.") || strings.Contains(stack, "net/http.(*connReader)") {
			continue
		}
		c.Least += n
		c.Ours += ours[stack]
		wrong += max(n-ours[stack], ours[stack]-n)
	}
	c.Most = c.Least
	if wrong > 1+c.Least/100 {
		c.Off = fmt.Sprintf("%d are at other stacks", wrong)
	}
	return c, 10*c.Least > 8*sum(before)
}

// alikeFrom is the share from which functions' times are compared; alike is how far they may differ, for both profiles
// are samples of some hundreds.
const (
	alikeFrom = 0.05
	alike     = 0.10
)

// alikeInTime compares where two CPU profiles of the same time have it, by functions and all that these call.
func alikeInTime(own, ours *profile.Profile) Comparison {
	a, b := cumulative(own), cumulative(ours)
	var name string
	var most float64
	for _, shares := range []map[string]float64{a, b} {
		for f, share := range shares {
			if d := math.Abs(a[f] - b[f]); share >= alikeFrom && (d > most || d == most && f < name) {
				name, most = f, d
			}
		}
	}
	perMille := func(share float64) int64 { return int64(math.Round(1000 * share)) }
	c := Comparison{What: "per mille of the CPU time in " + name + ", in which both differ most", Least: perMille(a[name]), Ours: perMille(b[name]), Most: perMille(a[name])}
	if most > alike {
		c.Off = fmt.Sprintf("more than %.0f points off", 100*alike)
	}
	if len(a) == 0 || len(b) == 0 {
		c.Off = "one of them is empty"
	}
	return c
}

// cumulative gives the shares of functions outside of the runtime, which says less than there is of its own.
func cumulative(p *profile.Profile) map[string]float64 {
	shares := map[string]float64{}
	total := 0.0
	for _, s := range p.Sample {
		total += float64(s.Value[0])
		for name := range functionsOf(namesOf(s)) {
			if strings.Contains(name, ".") && !strings.HasPrefix(name, "runtime.") && !strings.HasPrefix(name, "[") {
				shares[name] += float64(s.Value[0])
			}
		}
	}
	for name := range shares {
		shares[name] /= total
	}
	return shares
}

// byStack adds up values of a type by stack, with lines, and by object size.
func byStack(p *profile.Profile, values string) map[string]int64 {
	index := slices.IndexFunc(p.SampleType, func(t *profile.ValueType) bool { return t.Type == values })
	all := map[string]int64{}
	for _, s := range p.Sample {
		var stack strings.Builder
		for _, l := range s.Location {
			for _, line := range l.Line {
				fmt.Fprintf(&stack, "%s:%d\n", line.Function.Name, line.Line)
			}
		}
		fmt.Fprint(&stack, s.NumLabel["bytes"])
		all[stack.String()] += s.Value[index]
	}
	return all
}

func sum(values map[string]int64) (total int64) {
	for _, n := range values {
		total += n
	}
	return total
}

// minus gives by how much amounts have grown.
func minus(after, before map[string]int64) map[string]int64 {
	all := map[string]int64{}
	for stack, n := range after {
		all[stack] = n - before[stack]
	}
	return all
}
