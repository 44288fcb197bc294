package embed

import (
	"slices"
	"strconv"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/limits"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// timeKey and timeUnit are of the label for when a sample was taken. Its values differ from sample to sample, so it has a column
// of its own and is not part of a label set.
var timeKey, timeUnit = meta.TimeLabel.Name(), meta.TimeLabel.Unit()

// timeOf returns a sample's time and reports whether it has the usual form: one value, not negative, in milliseconds.
func timeOf(s *profile.Sample) (int64, bool) {
	v, u := s.NumLabel[timeKey], s.NumUnit[timeKey]
	ok := len(v) == 1 && v[0] >= 0 && v[0] < 1<<53 && len(u) == 1 && u[0] == timeUnit
	if !ok {
		return 0, false
	}
	return v[0], true
}

// labelSet holds the labels of a sample, without its time, sorted by key.
type labelSet []label

type label struct {
	key     string
	strings []string
	numbers []int64
	units   []string // none, or one for each number
	numeric bool
}

// labelSets returns the distinct sets of labels, in an order that depends only on their content, and for each sample the index of
// its set.
func labelSets(p *profile.Profile) ([]labelSet, []int32) {
	distinct := map[string]labelSet{}
	keys := make([]string, len(p.Sample))
	for i, s := range p.Sample {
		set := labelsOf(s)
		keys[i] = set.text()
		if _, ok := distinct[keys[i]]; !ok {
			distinct[keys[i]] = set
		}
	}
	sorted := make([]string, 0, len(distinct))
	for k := range distinct {
		sorted = append(sorted, k)
	}
	slices.Sort(sorted)
	sets, place := make([]labelSet, len(sorted)), make(map[string]int32, len(sorted))
	for i, k := range sorted {
		sets[i], place[k] = distinct[k], int32(i)
	}
	of := make([]int32, len(keys))
	for i, k := range keys {
		of[i] = place[k]
	}
	return sets, of
}

// text returns a representation that is the same only for equal sets.
func (set labelSet) text() string {
	var b []byte
	for _, l := range set {
		b = strconv.AppendQuote(b, l.key)
		for _, s := range l.strings {
			b = strconv.AppendQuote(append(b, '='), s)
		}
		for _, n := range l.numbers {
			b = strconv.AppendInt(append(b, '#'), n, 10)
		}
		for _, u := range l.units {
			b = strconv.AppendQuote(append(b, ':'), u)
		}
		b = strconv.AppendBool(b, l.numeric)
	}
	return string(b)
}

func labelsOf(s *profile.Sample) labelSet {
	var set labelSet
	for k, v := range s.Label {
		set = append(set, label{key: k, strings: v})
	}
	_, timed := timeOf(s)
	for k, v := range s.NumLabel {
		if !timed || k != timeKey {
			set = append(set, label{key: k, numbers: v, units: s.NumUnit[k], numeric: true})
		}
	}
	slices.SortFunc(set, func(a, b label) int {
		if c := strings.Compare(a.key, b.key); c != 0 || a.numeric == b.numeric {
			return c
		}
		if a.numeric {
			return 1
		}
		return -1
	})
	return set
}

func writeLabels(w *writer, set labelSet) {
	w.uint(uint64(len(set)))
	for _, l := range set {
		w.string(l.key)
		w.flag(l.numeric)
		if !l.numeric {
			w.uint(uint64(len(l.strings)))
			for _, s := range l.strings {
				w.string(s)
			}
			continue
		}
		w.uint(uint64(len(l.numbers)))
		for _, n := range l.numbers {
			w.int(n)
		}
		w.uint(uint64(len(l.units)))
		for _, u := range l.units {
			w.string(u)
		}
	}
}

func readLabels(r *reader) labelSet {
	n := r.count()
	if r.sets.Labels(n); !r.charged(&r.sets) || n == 0 {
		return nil
	}
	set := make(labelSet, 0, n)
	for range n {
		l := label{key: r.string(), numeric: r.flag()}
		if !l.numeric {
			l.strings = readStrings(r, &r.sets)
		} else {
			l.numbers = readNumbers(r, &r.sets)
			l.units = readStrings(r, &r.sets)
		}
		if n := len(l.units); n != 0 && n != len(l.numbers) {
			r.fail(errNumber)
		}
		set = append(set, l)
	}
	return set
}

func readStrings(r *reader, b *limits.Budget) []string {
	var all []string
	n := r.count()
	if b.Strings(n); !r.charged(b) {
		return nil
	}
	for range n {
		all = append(all, r.string())
	}
	return all
}

func readNumbers(r *reader, b *limits.Budget) []int64 {
	var all []int64
	n := r.count()
	if b.Numbers(n); !r.charged(b) {
		return nil
	}
	for range n {
		all = append(all, r.int())
	}
	return all
}

// apply sets the labels of a sample. Slices are copied, so that samples can be edited independently.
func (set labelSet) apply(s *profile.Sample) {
	for _, l := range set {
		switch {
		case !l.numeric:
			if s.Label == nil {
				s.Label = map[string][]string{}
			}
			s.Label[l.key] = slices.Clone(l.strings)
		default:
			addNumber(s, l.key, slices.Clone(l.numbers), slices.Clone(l.units))
		}
	}
}

func addNumber(s *profile.Sample, key string, numbers []int64, units []string) {
	if s.NumLabel == nil {
		s.NumLabel = map[string][]int64{}
	}
	s.NumLabel[key] = numbers
	if len(units) == 0 {
		return
	}
	if s.NumUnit == nil {
		s.NumUnit = map[string][]string{}
	}
	s.NumUnit[key] = units
}
