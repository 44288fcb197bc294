package render

import (
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/google/pprof/profile"
)

// large has distinct stacks with a mean depth of 27 frames, from 20,000 functions with names of about 48 bytes. Each stack differs
// from the one before in the last few frames.
func large(stacks int) *profile.Profile {
	random := rand.New(rand.NewPCG(11, 27))
	b := newBuilder()
	var functions []*profile.Location
	for i := range 20_000 {
		functions = append(functions, b.location(fmt.Sprintf("github.com/acme/service%02d/internal/layer.(*T).f%05d", i%37, i)))
	}
	var path []*profile.Location // root first
	for range stacks {
		path = path[:max(len(path)-random.IntN(9), 0)]
		for range 1 + min(random.IntN(9), max(60-len(path), 0)) {
			path = append(path, functions[random.IntN(len(functions))])
		}
		if len(path) > 52 {
			path = path[:1+random.IntN(10)]
		}
		s := &profile.Sample{Value: []int64{1, b.Period}, Label: map[string][]string{"process": {"shop"}}, NumLabel: map[string][]int64{"pid": {1}}}
		for i := len(path) - 1; i >= 0; i-- {
			s.Location = append(s.Location, path[i])
		}
		b.Sample = append(b.Sample, s)
	}
	return b.Profile
}

func BenchmarkLarge(b *testing.B) {
	p := large(100_000)
	for _, f := range []Format{PNG, Tree, Speedscope, JSON, Folded, Text} {
		b.Run(string(f), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := Write(io.Discard, p, f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
