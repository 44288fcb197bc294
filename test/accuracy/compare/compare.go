// Package compare measures how far two profiles of the same run agree. Its entry point is Compare.
// It compares stacks of names and does not depend on how they were sampled or trimmed.
package compare

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Frame is a function with the line that was executed in it; the line is 0 if it is not compared.
type Frame struct {
	Function string
	Line     int64
}

// Stack is a stack, leaf first, with its number of samples.
type Stack struct {
	Frames []Frame
	Count  int64
}

// Result describes how far two profiles agree. Shares are from 0 to 1, points are hundredths.
type Result struct {
	Ours, Reference int64 // samples
	// Distance is the total variation distance of the flat distributions over functions: half
	// the sum of the absolute differences of shares.
	Distance float64
	// Floor is the 95th percentile of the distance between two random draws, of these sizes,
	// from both profiles together.
	Floor float64
	// Points is the largest difference of the cumulative shares of a function or line that has
	// over 1 % in either profile, and Worst names it.
	Points float64
	Worst  string
	// Missing are functions and lines with over 2 % in one profile that the other does not have
	// at all.
	Missing []string
}

const (
	considered  = 0.01 // smallest cumulative share of a function that is compared
	missing     = 0.02
	resamplings = 200
)

// Compare keeps of each stack as many frames, from the leaf, as the reference records, and compares
// the profiles.
func Compare(ours, reference []Stack) Result {
	depth := 0
	for _, s := range reference {
		depth = max(depth, len(s.Frames))
	}
	a, b := measure(ours, depth), measure(reference, depth)
	r := Result{Ours: a.total, Reference: b.total}
	if a.total == 0 || b.total == 0 {
		r.Distance = 1
		return r
	}
	r.Distance = distance(a.flat, b.flat, a.total, b.total)
	r.Floor = floor(a.flat, b.flat, a.total, b.total)
	for _, key := range keys(a.cumulative, b.cumulative) {
		x, y := share(a.cumulative[key], a.total), share(b.cumulative[key], b.total)
		if max(x, y) <= considered {
			continue
		}
		if d := 100 * math.Abs(x-y); d > r.Points {
			r.Points, r.Worst = d, fmt.Sprintf("%s (%.1f %% and %.1f %%)", key, 100*x, 100*y)
		}
		if min(x, y) == 0 && max(x, y) > missing {
			r.Missing = append(r.Missing, key)
		}
	}
	return r
}

// measured holds the numbers of samples of a profile.
type measured struct {
	flat       map[string]int64 // by the leaf's function
	cumulative map[string]int64 // by function, and by function and line
	total      int64
}

func measure(stacks []Stack, depth int) measured {
	m := measured{flat: map[string]int64{}, cumulative: map[string]int64{}}
	for _, s := range stacks {
		if len(s.Frames) == 0 {
			continue
		}
		m.total += s.Count
		m.flat[s.Frames[0].Function] += s.Count
		seen := map[string]bool{}
		for _, f := range s.Frames[:min(len(s.Frames), depth)] {
			names := []string{f.Function}
			if f.Line > 0 {
				names = append(names, fmt.Sprintf("%s:%d", f.Function, f.Line))
			}
			for _, n := range names {
				if !seen[n] { // a recursive function counts once
					seen[n] = true
					m.cumulative[n] += s.Count
				}
			}
		}
	}
	return m
}

func share(n, total int64) float64 { return float64(n) / float64(total) }

func distance(a, b map[string]int64, totalA, totalB int64) float64 {
	sum := 0.0
	for _, key := range keys(a, b) {
		sum += math.Abs(share(a[key], totalA) - share(b[key], totalB))
	}
	return sum / 2
}

// keys returns the sorted keys of both maps, so that equal profiles have equal results.
func keys(a, b map[string]int64) []string {
	var all []string
	for k := range a {
		all = append(all, k)
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			all = append(all, k)
		}
	}
	slices.Sort(all)
	return all
}

// floor draws random pairs of profiles from both profiles together and returns the 95th percentile
// of their distances.
func floor(a, b map[string]int64, totalA, totalB int64) float64 {
	all := keys(a, b)
	ends := make([]int64, len(all)) // of each key's range in the pool
	pool := int64(0)
	for i, k := range all {
		pool += a[k] + b[k]
		ends[i] = pool
	}
	random := rand.New(rand.NewPCG(1, 2)) // fixed, so that a profile's floor is the same each time
	draw := func(n int64) []int64 {
		counts := make([]int64, len(all))
		for range n {
			at, found := slices.BinarySearch(ends, random.Int64N(pool))
			if found { // an end belongs to the next key
				at++
			}
			counts[at]++
		}
		return counts
	}
	distances := make([]float64, resamplings)
	for i := range distances {
		x, y := draw(totalA), draw(totalB)
		for j := range x {
			distances[i] += math.Abs(share(x[j], totalA)-share(y[j], totalB)) / 2
		}
	}
	slices.Sort(distances)
	return distances[len(distances)*95/100]
}
