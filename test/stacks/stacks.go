// Package stacks makes profiles of realistic shape and any size for tests and benchmarks: deep call
// paths that share their beginnings, recursion, a few hot functions and many cold ones. The same
// arguments return the same profile.
package stacks

import (
	"fmt"
	"math/rand/v2"

	"github.com/google/pprof/profile"
)

const functions = 4000

// New makes a profile of n distinct stacks with 27 frames on average.
func New(n int) *profile.Profile {
	rnd := rand.New(rand.NewPCG(1, uint64(n)))
	p := &profile.Profile{
		SampleType:        []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		DefaultSampleType: "cpu",
		PeriodType:        &profile.ValueType{Type: "cpu", Unit: "nanoseconds"}, Period: 10101010,
		TimeNanos: 1767323045e9, DurationNanos: 30e9,
		Mapping:  []*profile.Mapping{{ID: 1, Start: 0x400000, Limit: 0x4000000, File: "/app/server", HasFunctions: true}},
		Comments: []string{"type: cpu", fmt.Sprintf("synthetic: %d distinct stacks", n)},
	}
	for i := range functions {
		f := &profile.Function{ID: uint64(i + 1), Name: name(rnd, i), Filename: fmt.Sprintf("/src/pkg%d/file%d.go", i%40, i%300)}
		f.SystemName = f.Name
		p.Function = append(p.Function, f)
		p.Location = append(p.Location, &profile.Location{ID: f.ID, Mapping: p.Mapping[0], Address: uint64(0x400000 + i*208),
			Line: []profile.Line{{Function: f, Line: int64(rnd.IntN(900) + 1)}}})
	}
	// A function calls few others, and mostly the first ones, so that hot functions occur under
	// many callers.
	callees := make([][]int, functions)
	for i := range callees {
		for range 2 + rnd.IntN(8) {
			callees[i] = append(callees[i], rnd.IntN(functions))
		}
	}
	seen := map[string]bool{}
	var stack []*profile.Location
	var key []byte
	for at := 0; len(p.Sample) < n; {
		keep := 0 // frames that this stack shares with the one before
		if len(stack) > 0 {
			keep = max(1, len(stack)-1-int(rnd.ExpFloat64()*4))
			keep = min(keep, len(stack))
		}
		stack = stack[:keep]
		if keep == 0 {
			stack = append(stack, p.Location[0])
		}
		at = int(stack[len(stack)-1].ID - 1)
		for depth := 8 + rnd.IntN(29); len(stack) < depth; {
			next := callees[at]
			at = next[min(int(rnd.ExpFloat64()*1.5), len(next)-1)]
			stack = append(stack, p.Location[at])
		}
		key = key[:0]
		for _, l := range stack {
			key = append(key, byte(l.ID), byte(l.ID>>8))
		}
		if seen[string(key)] {
			continue
		}
		seen[string(key)] = true
		count := 1 + int64(rnd.ExpFloat64()*rnd.ExpFloat64()*4)
		s := &profile.Sample{Value: []int64{count, count * p.Period}}
		for i := len(stack) - 1; i >= 0; i-- {
			s.Location = append(s.Location, stack[i])
		}
		p.Sample = append(p.Sample, s)
	}
	return p
}

func name(rnd *rand.Rand, i int) string {
	packages := []string{"runtime", "net/http", "encoding/json", "main", "github.com/acme/shop/internal/inventory/store", "google.golang.org/grpc/internal/transport", "k8s.io/client-go/tools/cache"}
	types := []string{"(*Server)", "(*Store)", "(*http2Client)", "(*Controller)", "(*decodeState)", "(*Queue)"}
	verbs := []string{"process", "handle", "decode", "encode", "lookup", "reconcile", "flush", "merge", "acquire", "notify"}
	pkg, verb := packages[rnd.IntN(len(packages))], verbs[rnd.IntN(len(verbs))]
	if rnd.IntN(3) == 0 {
		return fmt.Sprintf("%s.%sItems%d", pkg, verb, i)
	}
	return fmt.Sprintf("%s.%s.%sRequest%d", pkg, types[rnd.IntN(len(types))], verb, i)
}
