package slice

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/limits"
	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

// growing is a profile that grows from slice to slice.
type growing struct {
	profile.Profile
	encoder  Encoder
	wrappers map[*profile.Location]bool
	sum      Sum
}

func newGrowing() *growing {
	g := &growing{wrappers: map[*profile.Location]bool{}}
	g.TimeNanos = 1000
	g.SampleType = []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}}
	g.PeriodType, g.Period, g.DefaultSampleType = &profile.ValueType{Type: "cpu", Unit: "nanoseconds"}, 10, "cpu"
	g.Mapping = []*profile.Mapping{{ID: 1, Start: 0x1000, Limit: 0x2000, Offset: 0x200, File: "/web", BuildID: "abc"}}
	g.encoder.Unknown = func(l *profile.Location) string { return fmt.Sprintf("[web+%#x]", l.Address) }
	g.encoder.IsWrapper = func(l *profile.Location) bool { return g.wrappers[l] }
	return g
}

// location adds a location, with functions unless names is empty.
func (g *growing) location(names ...string) *profile.Location {
	id := uint64(len(g.Location) + 1)
	l := &profile.Location{ID: id, Mapping: g.Mapping[0], Address: 0x1000 + id}
	g.Location = append(g.Location, l)
	g.name(l, names...)
	return l
}

func (g *growing) name(l *profile.Location, names ...string) {
	for i, name := range names {
		f := &profile.Function{
			ID: uint64(len(g.Function) + 1), Name: name, SystemName: name, Filename: name + ".go", StartLine: 3,
		}
		g.Function = append(g.Function, f)
		l.Line = append(l.Line, profile.Line{Function: f, Line: int64(10 + i)})
	}
}

// slice adds a slice of samples with the value 1 each, and returns the slice.
func (g *growing) slice(t *testing.T, process string, stacks ...[]*profile.Location) *Slice {
	t.Helper()
	g.Sample, g.Comments = nil, []string{fmt.Sprintf("slice: %d", g.encoder.number+1)}
	g.DurationNanos = 500
	for _, stack := range stacks {
		g.Sample = append(g.Sample, &profile.Sample{
			Location: stack, Value: []int64{1, 10},
			Label: map[string][]string{"process": {process}}, NumLabel: map[string][]int64{"pid": {7}},
		})
	}
	data, err := Encode(g.encoder.Next(&g.Profile))
	if err != nil {
		t.Fatal(err)
	}
	x, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.sum.Add(data); err != nil {
		t.Fatal(err)
	}
	g.TimeNanos += g.DurationNanos
	return x
}

// counts returns the profile's values by process and stack, leaf first.
func counts(p *profile.Profile) map[string]int64 {
	all := map[string]int64{}
	for _, s := range p.Sample {
		names := s.Label["process"]
		for _, l := range s.Location {
			for _, line := range l.Line {
				names = append(names, fmt.Sprintf("%s:%d", line.Function.Name, line.Line))
			}
		}
		all[strings.Join(names, " ")] += s.Value[0]
	}
	return all
}

func TestSlicesAddUp(t *testing.T) {
	g := newGrowing()
	leaf, late := g.location("inlined", "leaf"), g.location()
	wrapper, root := g.location("wrapper"), g.location("runtime.goexit")
	g.wrappers[wrapper] = true
	first := g.slice(t, "web", []*profile.Location{leaf, wrapper, root}, []*profile.Location{late, root})
	never := g.location()
	g.slice(t, "web", []*profile.Location{late, root}, []*profile.Location{never})
	g.name(late, "late")
	g.slice(t, "web", []*profile.Location{leaf, root})
	last := g.slice(t, "sh", []*profile.Location{leaf, wrapper, root}, []*profile.Location{leaf, wrapper, root})
	p, err := g.sum.Profile()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{
		"web inlined:10 leaf:11": 2, "web late:10": 2, "web [web+0x1005]:0": 1, "sh inlined:10 leaf:11": 2,
	}
	if diff := cmp.Diff(want, counts(p)); diff != "" {
		t.Error(diff)
	}
	if p.TimeNanos != 1000 || p.DurationNanos != 2000 || p.Period != 10 || p.DefaultSampleType != "cpu" ||
		!slices.Equal(p.Comments, []string{"slice: 4"}) {
		t.Errorf("the fields of the profile are wrong: %v", p)
	}
	if m := p.Mapping[0]; m.File != "/web" || m.BuildID != "abc" || m.Offset != 0x200 ||
		!m.HasFunctions || !m.HasInlineFrames || !m.HasLineNumbers {
		t.Errorf("mapping %+v", m)
	}
	f := p.Sample[0].Location[0].Line[0].Function
	if f.SystemName != "inlined" || f.Filename != "inlined.go" || f.StartLine != 3 {
		t.Errorf("function %+v", f)
	}
	if len(first.Stacks) != 2 || len(first.Locations) != 4 || len(last.Stacks) != 1 || len(last.Labels) != 1 ||
		len(last.Locations)+len(last.Names)+len(last.Functions) != 0 {
		t.Errorf("the last slice sends again what the first has: %+v", last)
	}
}

// A program that does what it did before has small slices.
func TestSlicesOfASteadyProgram(t *testing.T) {
	g := newGrowing()
	var stacks [][]*profile.Location
	for i := range 100 {
		stack := make([]*profile.Location, 40)
		for depth := range stack {
			stack[depth] = g.location(fmt.Sprintf("main.function%d_%d", i, depth))
		}
		stacks = append(stacks, stack)
	}
	g.slice(t, "web", stacks...)
	x := g.slice(t, "web", stacks...)
	data, err := Encode(x)
	if err != nil || len(data) > 2000 {
		t.Errorf("%d bytes for 100 stacks, %v", len(data), err)
	}
	allocated := testing.AllocsPerRun(10, func() {
		if _, err := Encode(g.encoder.Next(&g.Profile)); err != nil {
			t.Fatal(err)
		}
	})
	if allocated > 300 {
		t.Errorf("%v allocations for 100 stacks", allocated)
	}
}

func TestInvalidSlices(t *testing.T) {
	start := &Start{SampleType: []ValueType{{"samples", "count"}}}
	for name, x := range map[string]Slice{
		"not the first":     {Number: 2, Start: start},
		"no start":          {Number: 1},
		"no mapping":        {Number: 1, Start: start, Locations: []Location{{Mapping: 1}}},
		"name of nothing":   {Number: 1, Start: start, Names: []Name{{Location: 1, Lines: []Line{{Function: 1}}}}},
		"name without line": {Number: 1, Start: start, Locations: []Location{{}}, Names: []Name{{Location: 1}}},
		"no function":       {Number: 1, Start: start, Locations: []Location{{}}, Names: []Name{{Location: 1, Lines: []Line{{Function: 1}}}}},
		"no labels":         {Number: 1, Start: start, Locations: []Location{{}}, Stacks: []Stack{{Locations: []uint64{1}}}},
		"no location":       {Number: 1, Start: start, Labels: []Labels{{}}, Stacks: []Stack{{Locations: []uint64{1}}}},
		"empty stack":       {Number: 1, Start: start, Labels: []Labels{{}}, Stacks: []Stack{{}}},
		"no stack":          {Number: 1, Start: start, Values: []int64{0, 1}},
		"negative stack":    {Number: 1, Start: start, Values: []int64{-1, 1}},
		"half a value":      {Number: 1, Start: start, Values: []int64{0}},
	} {
		t.Run(name, func(t *testing.T) {
			var sum Sum
			if err := sum.add(&x); err == nil {
				t.Error("no error")
			}
			if p, err := sum.Profile(); p != nil || err != nil {
				t.Errorf("got %v, %v", p, err)
			}
		})
	}
}

// If the slices are too large together, the first ones are kept.
func TestSlicesThatAreTooLargeTogether(t *testing.T) {
	var sum Sum
	x := &Slice{
		Number: 1, Start: &Start{SampleType: []ValueType{{"samples", "count"}}},
		Locations: []Location{{Unknown: "[a]"}}, Labels: []Labels{{}},
	}
	x.Stacks, x.Values = []Stack{{Locations: []uint64{1}}}, []int64{0, 5}
	var err error
	for ; err == nil; x = (&Slice{Number: x.Number + 1}) {
		if x.Number > 1 {
			x.Stacks = slices.Repeat([]Stack{{Locations: slices.Repeat([]uint64{1}, 1000)}}, 100)
		}
		data, encodeErr := Encode(x)
		if encodeErr != nil || x.Number > 1000 {
			t.Fatal("no limit", encodeErr)
		}
		err = sum.Add(data)
	}
	if !strings.Contains(err.Error(), "elements") && !strings.Contains(err.Error(), "MiB of memory") {
		t.Error(err)
	}
	next, err := Encode(&Slice{Number: x.Number})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Add(next) == nil {
		t.Error("a slice is added after one that was left out")
	}
	p, err := sum.Profile()
	if err != nil || len(p.Sample) != 1 || p.Sample[0].Value[0] != 5 {
		t.Errorf("%v, %v", p, err)
	}
}

func TestSlicesThatTakeTooMuchMemory(t *testing.T) {
	packed, err := Encode(&Slice{Number: 1, Comments: []string{strings.Repeat(" ", 100<<20)}})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"compressed":     packed,
		"empty elements": fmt.Appendf(nil, `{"number":1,"mappings":[{}%s]}`, strings.Repeat(",{}", 8<<20)),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = Decode(data)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, limits.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 256<<20 {
			t.Errorf("%s: %d MiB were allocated for %d KiB", name, n>>20, len(data)>>10)
		}
	}
}

// FuzzSum adds arbitrary slices.
func FuzzSum(f *testing.F) {
	g := newGrowing()
	for i := range 2 {
		stack := []*profile.Location{g.location("f"), g.location()}
		g.Sample = []*profile.Sample{{Location: stack, Value: []int64{1, 10}}}
		g.DurationNanos = 500
		data, err := Encode(g.encoder.Next(&g.Profile))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, bytes.Repeat([]byte("{}"), i))
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		fuzzbudget.Enforce(t)
		var sum Sum
		for _, data := range [][]byte{first, second} {
			_ = sum.Add(data)
		}
		p, err := sum.Profile()
		if err != nil || p == nil {
			return
		}
		if err := p.CheckValid(); err != nil {
			t.Fatal(err)
		}
	})
}
