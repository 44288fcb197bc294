package render

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// writeFolded writes a line for each distinct stack: the frames from root to leaf separated by semicolons, a space, and the number
// of samples, or the value shown if the user chose it or the profile does not count samples. In profiles of several
// events, stacks without the one shown are left out. Semicolons in names become colons.
func writeFolded(w io.Writer, p *profile.Profile) error {
	stacks := newFrameStacks(p)
	for i, f := range stacks.frames {
		stacks.frames[i].name = strings.ReplaceAll(f.name, ";", ":")
	}
	index := valueIndex(p)
	if countsSamples(p) && !meta.ChosenValues.Has(p) {
		index = 0
	}
	order := make([]int32, len(p.Sample))
	for i := range order {
		order[i] = int32(i)
	}
	lines := newLineOrder(stacks.frames)
	compare := func(a, b int32) int { return lines.compare(stacks.stackOf(a), stacks.stackOf(b)) }
	slices.SortFunc(order, compare)
	out, events := bufio.NewWriter(w), len(meta.Event.All(p))
	var sum int64
	for i, sample := range order {
		sum += p.Sample[sample].Value[index]
		if i+1 < len(order) && compare(sample, order[i+1]) == 0 || sum == 0 && events > 1 {
			continue
		}
		for k, f := range stacks.stackOf(sample) {
			if k > 0 {
				out.WriteByte(';')
			}
			out.WriteString(stacks.frames[f>>1].name)
		}
		if _, err := fmt.Fprintf(out, " %d\n", sum); err != nil {
			return err
		}
		sum = 0
	}
	return out.Flush()
}

// lineOrder compares stacks as the lines that are written for them, without making the lines, which
// may be very long. Names, which have no semicolons, are compared once.
type lineOrder struct {
	ranks [][2]int32 // of each frame's name: at the end of a line, and before a semicolon
}

func newLineOrder(frames []frame) lineOrder {
	type word struct {
		frame     int32
		semicolon int8
	}
	words := make([]word, 0, 2*len(frames))
	for i := range frames {
		words = append(words, word{int32(i), 0}, word{int32(i), 1})
	}
	compare := func(a, b word) int {
		x, y := frames[a.frame].name, frames[b.frame].name
		n := min(len(x), len(y))
		switch c := cmp.Compare(x[:n], y[:n]); {
		case c != 0:
			return c
		case len(x) == len(y):
			return cmp.Compare(a.semicolon, b.semicolon)
		case len(x) < len(y) && a.semicolon == 1:
			return cmp.Compare(';', y[n])
		case len(x) > len(y) && b.semicolon == 1:
			return cmp.Compare(x[n], ';')
		}
		return cmp.Compare(len(x), len(y))
	}
	slices.SortFunc(words, compare)
	o := lineOrder{make([][2]int32, len(frames))}
	rank := int32(0)
	for i, w := range words {
		if i > 0 && compare(words[i-1], w) != 0 {
			rank++
		}
		o.ranks[w.frame][w.semicolon] = rank
	}
	return o
}

func (o lineOrder) compare(a, b []int32) int {
	for i := range min(len(a), len(b)) {
		x, y := o.ranks[a[i]>>1], o.ranks[b[i]>>1]
		if x[0] == y[0] { // the same name, perhaps of different kinds
			continue
		}
		rank := func(ranks [2]int32, last bool) int32 {
			if last {
				return ranks[0]
			}
			return ranks[1]
		}
		return cmp.Compare(rank(x, i == len(a)-1), rank(y, i == len(b)-1))
	}
	return cmp.Compare(len(a), len(b))
}

// countsSamples reports whether the first values of a profile are numbers of samples.
func countsSamples(p *profile.Profile) bool {
	return p.SampleType[0].Type == "samples" && p.SampleType[0].Unit == "count"
}
