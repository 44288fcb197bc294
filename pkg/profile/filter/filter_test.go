package filter

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

// taken returns a profile made from lines "milliseconds root;…;leaf count". Names that begin with "libc." are in /lib/libc.so;
// names with the prefix "inline+" are inlined into the frame before.
func taken(lines ...string) *profile.Profile {
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}},
		Mapping:    []*profile.Mapping{{ID: 1, File: "/shop"}, {ID: 2, File: "/lib/libc.so"}},
		TimeNanos:  int64(time.Hour), DurationNanos: int64(10 * time.Second),
	}
	functions := map[string]*profile.Function{}
	for _, line := range lines {
		var at, count int64
		var stack string
		fmt.Sscan(line, &at, &stack, &count)
		s := &profile.Sample{Value: []int64{count}}
		if at >= 0 {
			s.NumLabel, s.NumUnit = map[string][]int64{meta.TimeLabel.Name(): {at}}, map[string][]string{meta.TimeLabel.Name(): {"milliseconds"}}
		}
		for name := range strings.SplitSeq(stack, ";") {
			name, inlined := strings.CutPrefix(name, "inline+")
			f := functions[name]
			if f == nil {
				f = &profile.Function{ID: uint64(len(functions) + 1), Name: name, Filename: "x.go"}
				functions[name] = f
				p.Function = append(p.Function, f)
			}
			if inlined {
				s.Location[0].Line = slices.Insert(s.Location[0].Line, 0, profile.Line{Function: f})
				continue
			}
			l := &profile.Location{ID: uint64(len(p.Location) + 1), Mapping: p.Mapping[0], Line: []profile.Line{{Function: f}}}
			if strings.HasPrefix(name, "libc.") {
				l.Mapping, f.Filename = p.Mapping[1], "libc.c"
			}
			p.Location = append(p.Location, l)
			s.Location = slices.Insert(s.Location, 0, l)
		}
		p.Sample = append(p.Sample, s)
	}
	return p
}

func lines(p *profile.Profile) string {
	var all []string
	for _, s := range p.Sample {
		var names []string
		for _, l := range slices.Backward(s.Location) {
			names = append(names, render.FrameNames(l)...)
		}
		all = append(all, fmt.Sprintf("%s %d", strings.Join(names, ";"), s.Value[0]))
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

func TestFilter(t *testing.T) {
	shop := []string{
		"0 main.main;main.work 5", "1000 main.main;main.work;libc.write 3", "2000 main.main;github.com/a/b.F;inline+main.work 2",
		"2990 main.main;main.idle 1", "3000 slices.Sort[go.shape.int] 1",
	}
	rx := regexp.MustCompile
	for name, c := range map[string]struct {
		o    Options
		want string
	}{
		"nothing":        {Options{}, "main.main;github.com/a/b.F;main.work 2\nmain.main;main.idle 1\nmain.main;main.work 5\nmain.main;main.work;libc.write 3\nslices.Sort[...] 1"},
		"focus":          {Options{Focus: rx(`^libc|idle`)}, "main.main;main.idle 1\nmain.main;main.work;libc.write 3"},
		"focus, shown":   {Options{Focus: rx(`Sort\[\.\.\.\]$`)}, "slices.Sort[...] 1"},
		"no match":       {Options{Focus: rx(`nothing`)}, ""},
		"hide":           {Options{Hide: rx(`work|idle`)}, "main.main 1\nmain.main 5\nmain.main;github.com/a/b.F 2\nmain.main;libc.write 3\nslices.Sort[...] 1"},
		"hide all":       {Options{Hide: rx(`.`)}, " 1\n 1\n 2\n 3\n 5"},
		"library":        {Options{Module: rx(`libc`)}, "main.main;main.work;libc.write 3"},
		"Go package":     {Options{Module: rx(`^github.com/a/`)}, "main.main;github.com/a/b.F;main.work 2"},
		"time":           {Options{From: time.Second, To: 3 * time.Second}, "main.main;github.com/a/b.F;main.work 2\nmain.main;main.idle 1\nmain.main;main.work;libc.write 3"},
		"to the end":     {Options{From: 2990 * time.Millisecond}, "main.main;main.idle 1\nslices.Sort[...] 1"},
		"all at once":    {Options{To: 2 * time.Second, Focus: rx("work"), Module: rx("libc"), Hide: rx("main$")}, "main.work;libc.write 3"},
		"focus then hid": {Options{Focus: rx("idle"), Hide: rx("idle")}, "main.main 1"},
	} {
		t.Run(name, func(t *testing.T) {
			p := taken(shop...)
			before := p.String()
			got, err := c.o.Apply(p)
			if err != nil {
				t.Fatal(err)
			}
			if err := got.CheckValid(); err != nil {
				t.Error(err)
			}
			if lines(got) != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", lines(got), c.want)
			}
			if p.String() != before {
				t.Error("the profile given was changed")
			}
		})
	}
}

func TestTime(t *testing.T) {
	p, err := Options{From: 2 * time.Second, To: 30 * time.Second}.Apply(taken("2000 a 1", "-1 b 1"))
	if err != nil || lines(p) != "a 1" {
		t.Errorf("%v; a sample without a time is in no stretch of it: %s", err, lines(p))
	}
	if p.TimeNanos != int64(time.Hour+2*time.Second) || p.DurationNanos != int64(8*time.Second) {
		t.Errorf("begins at %d, lasts %d", p.TimeNanos, p.DurationNanos)
	}
	if got := p.Comments; len(got) != 1 || got[0] != "filter: --from 2s --to 30s" {
		t.Errorf("comments %q", got)
	}
	for _, c := range []struct {
		p    *profile.Profile
		o    Options
		want string
	}{
		{taken("-1 a 1"), Options{From: 1}, "which this profile does not have"},
		{taken("1 a 1"), Options{From: 2, To: 2}, "not a valid range of time"},
		{taken("1 a 1"), Options{From: -1}, "not a valid range of time"},
	} {
		if _, err := c.o.Apply(c.p); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v", c.o, err)
		}
	}
}

// Hidden frames keep their values, and a focus and its complement add up to the whole.
func TestSumsAreExact(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	names := []string{"main.a", "main.b", "libc.c", "x/y.d", "main.e"}
	for range 200 {
		var stacks []string
		var total int64
		for range random.IntN(20) {
			var stack []string
			for range 1 + random.IntN(6) {
				stack = append(stack, names[random.IntN(len(names))])
			}
			n := 1 + random.Int64N(1000)
			total += n
			stacks = append(stacks, fmt.Sprintf("%d %s %d", random.IntN(9999), strings.Join(stack, ";"), n))
		}
		p := taken(stacks...)
		sum := func(o Options) (n int64) {
			left, err := o.Apply(p)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range left.Sample {
				n += s.Value[0]
			}
			return n
		}
		if got := sum(Options{Hide: regexp.MustCompile(names[random.IntN(5)])}); got != total {
			t.Errorf("hiding changed %d to %d", total, got)
		}
		if len(stacks) == 0 {
			continue
		}
		at := time.Duration(random.IntN(9998)+1) * time.Millisecond
		if got := sum(Options{To: at}) + sum(Options{From: at}); got != total {
			t.Errorf("before and after %v: %d, want %d", at, got, total)
		}
	}
}
