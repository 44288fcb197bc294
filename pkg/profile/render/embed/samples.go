package embed

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/google/pprof/profile"
)

// row is a sample as it is written. Its stack holds the ranks of locations, root first.
type row struct {
	*profile.Sample
	stack  []int32
	labels int32
	time   int64 // milliseconds plus 1, or 0 if the sample has no time
}

func writeSamples(w *writer, p *profile.Profile, t *tables) error {
	rows, sets, err := sampleRows(p, t)
	if err != nil {
		return err
	}
	nodes := writeTree(w, rows, t.byPlace)
	w.uint(uint64(len(sets)))
	for _, s := range sets {
		writeLabels(w, s)
	}
	w.uint(uint64(len(rows)))
	var node, time delta
	for i := range rows {
		node.write(w, uint64(nodes[i]))
	}
	for _, r := range rows {
		w.uint(uint64(r.labels))
	}
	for _, r := range rows {
		time.write(w, uint64(r.time))
	}
	for i := range p.SampleType {
		writeValues(w, rows, i)
	}
	return nil
}

// sampleRows returns the samples in the order in which they are written: by stack, labels, time, values.
func sampleRows(p *profile.Profile, t *tables) ([]row, []labelSet, error) {
	frames := 0
	for _, s := range p.Sample {
		frames += len(s.Location)
	}
	sets, of := labelSets(p)
	stacks := make([]int32, 0, frames)
	rows := make([]row, len(p.Sample))
	for i, s := range p.Sample {
		begin := len(stacks)
		for _, l := range slices.Backward(s.Location) {
			at, ok := t.location[l]
			if !ok {
				return nil, nil, fmt.Errorf("a sample's location %d is not in the profile's table", l.ID)
			}
			stacks = append(stacks, t.places[at])
		}
		rows[i] = row{Sample: s, stack: stacks[begin:], labels: of[i]}
		if t, ok := timeOf(s); ok {
			rows[i].time = t + 1
		}
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(slices.Compare(a.stack, b.stack), cmp.Compare(a.labels, b.labels), cmp.Compare(a.time, b.time), slices.Compare(a.Value, b.Value))
	})
	return rows, sets, nil
}

// writeValues writes a column of values: a common factor and the quotients, or the number of an earlier column and the factor by
// which the values are a multiple of it, as nanoseconds are of samples.
func writeValues(w *writer, rows []row, column int) {
	for earlier := range column {
		if factor, ok := multiple(rows, earlier, column); ok {
			w.uint(uint64(earlier + 1))
			w.int(factor)
			return
		}
	}
	w.uint(0)
	var divisor uint64
	for _, r := range rows {
		divisor = gcd(divisor, magnitude(r.Value[column]))
	}
	if divisor == 0 || divisor > math.MaxInt64 {
		divisor = 1
	}
	w.int(int64(divisor))
	for _, r := range rows {
		w.int(r.Value[column] / int64(divisor))
	}
}

// multiple returns the factor by which all values of a column are a multiple of another column's, and reports whether there is one.
func multiple(rows []row, of, column int) (factor int64, ok bool) {
	for _, r := range rows {
		a, b := r.Value[of], r.Value[column]
		if a != 0 && factor == 0 {
			factor = b / a
		}
		if a*factor != b {
			return 0, false
		}
	}
	return factor, true
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func magnitude(v int64) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}
