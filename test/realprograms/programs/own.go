package programs

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// Comparison is an amount that was read from outside, with the smallest and the largest amount that the
// program itself reported around that time.
type Comparison struct {
	What  string `json:"what"`
	Least int64  `json:"least"`
	Ours  int64  `json:"ours"`
	Most  int64  `json:"most"`
	Off   string `json:"off,omitempty"` // why the comparison fails, empty if it does not
}

func (c Comparison) String() string {
	return fmt.Sprintf("%s: %d from outside, %d to %d by itself", c.What, c.Ours, c.Least, c.Most)
}

// tolerance is how far an amount that fluctuates may lie outside the program's own range.
const tolerance = 0.05

// near compares an amount that fluctuates.
func near(what string, ours int64, own ...int64) Comparison {
	c := Comparison{What: what, Least: slices.Min(own), Ours: ours, Most: slices.Max(own)}
	if got := float64(ours); got < math.Floor(float64(c.Least)*(1-tolerance)) || got > math.Ceil(float64(c.Most)*(1+tolerance)) {
		c.Off = fmt.Sprintf("more than %.0f %% off", 100*tolerance)
	}
	return c
}

// between compares amounts that only grow, so that each stack's amount must lie between the program's
// own before and after.
func between(what string, low, ours, high map[string]int64) Comparison {
	c := Comparison{What: what + ", by stack", Least: sum(low), Ours: sum(ours), Most: sum(high)}
	stacks, outside := map[string]bool{}, 0
	for _, amounts := range []map[string]int64{low, ours, high} {
		for stack := range amounts {
			stacks[stack] = true
		}
	}
	for stack := range stacks {
		// Estimates are rounded to whole bytes, once for each of the two readings of a
		// difference.
		if n := ours[stack]; n < low[stack]-2 || n > high[stack]+2 {
			outside++
		}
	}
	if outside > 0 || sum(ours) == 0 {
		c.Off = fmt.Sprintf("%d of %d stacks have amounts that are not between", outside, len(stacks))
	}
	return c
}

// steady compares amounts by stack of a program at rest. Where the program reports the same amount
// before and after, ours must be equal, except for what runs briefly now and then. It returns false if
// too many amounts change.
func steady(what string, before, ours, after map[string]int64) (Comparison, bool) {
	c := Comparison{What: what + " of stacks that stay as they are"}
	wrong := int64(0)
	for stack, n := range before {
		if n != after[stack] || answers(stack) {
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

// answers reports whether a stack is of a goroutine that serves our own requests.
func answers(stack string) bool {
	return strings.Contains(stack, "net/http/pprof.") || strings.Contains(stack, "net/http.(*connReader)")
}

// amongHottest is the worst rank, counted from 1, that the hottest function of the program's own CPU
// profile may have in ours. A stricter test is not possible: the kernel sends SIGPROF at its ticks only,
// so a program's own profile over-represents what tends to run then. For kube-apiserver it had 43 % in
// crypto/internal/fips140/bigmod.addMulVVW1024, where we had 22 % and perf's cpu-clock 20 %. make
// accuracy compares more closely.
const amongHottest = 5

// compareHottest compares two CPU profiles of the same period.
func compareHottest(own, ours *profile.Profile) Comparison {
	hottest := hottestFirst(own)
	if len(hottest) == 0 {
		return Comparison{What: "samples of CPU time by itself", Off: "none"}
	}
	c := Comparison{What: "place of " + hottest[0] + " among the hottest functions", Least: 1, Most: amongHottest}
	c.Ours = int64(slices.Index(hottestFirst(ours), hottest[0]) + 1)
	if c.Ours == 0 || c.Ours > amongHottest {
		c.Off = "it is not among them"
	}
	return c
}

// hottestFirst lists functions by their own time, the hottest first, with the kernel's time counted for
// its caller. It leaves out the runtime's functions, which runtime/pprof does not always report.
func hottestFirst(p *profile.Profile) []string {
	flat := map[string]int64{}
	for _, s := range p.Sample {
		for _, l := range s.Location {
			if l.Mapping == nil || l.Mapping.File == kernelMapping || len(l.Line) == 0 {
				continue
			}
			if name := l.Line[0].Function.Name; !strings.HasPrefix(name, "runtime.") {
				flat[name] += s.Value[0]
			}
			break
		}
	}
	return slices.SortedFunc(maps.Keys(flat), func(a, b string) int { return cmp.Or(cmp.Compare(flat[b], flat[a]), cmp.Compare(a, b)) })
}

// byStack adds up values of a type by stack, with lines, and by object size. It ignores frames that are
// not in known, unless known is nil.
func byStack(p *profile.Profile, values string, known map[string]bool) map[string]int64 {
	index := slices.IndexFunc(p.SampleType, func(t *profile.ValueType) bool { return t.Type == values })
	all := map[string]int64{}
	for _, s := range p.Sample {
		var stack strings.Builder
		for _, l := range s.Location {
			for _, line := range l.Line {
				if name := place(line); known == nil || known[name] {
					stack.WriteString(name)
				}
			}
		}
		fmt.Fprint(&stack, s.NumLabel["bytes"])
		all[stack.String()] += s.Value[index]
	}
	return all
}

func place(line profile.Line) string { return fmt.Sprintf("%s:%d\n", line.Function.Name, line.Line) }

// placesOf returns all places in the stacks of a profile.
func placesOf(p *profile.Profile) map[string]bool {
	all := map[string]bool{}
	for _, s := range p.Sample {
		for _, l := range s.Location {
			for _, line := range l.Line {
				all[place(line)] = true
			}
		}
	}
	return all
}

// withoutAnswers returns the amounts without those of goroutines that serve our own requests.
func withoutAnswers(values map[string]int64) map[string]int64 {
	maps.DeleteFunc(values, func(stack string, _ int64) bool { return answers(stack) })
	return values
}

func sum(values map[string]int64) (total int64) {
	for _, n := range values {
		total += n
	}
	return total
}

// minus returns by how much each amount has grown.
func minus(after, before map[string]int64) map[string]int64 {
	all := map[string]int64{}
	for stack, n := range after {
		all[stack] = n - before[stack]
	}
	return all
}
