package read

import (
	"bytes"
	"fmt"
	"math"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// foldedSurvey is what all lines of a folded file have in common.
type foldedSurvey struct {
	columns int // numbers in a line: 1, or 2 for a difference
	// exponent is the power of ten by which numbers are multiplied: 0, unless there are fractions that rounding would falsify.
	exponent  int
	rounded   bool // fractions are rounded
	ambiguous int  // lines with two numbers in a file with one column
}

// fractionUnits are the units of values that are multiplied by a power of ten.
var fractionUnits = map[int]string{0: "count", 3: "thousandths", 6: "millionths", 9: "billionths", 12: "trillionths"}

// exponents are the powers of ten that numbers may be multiplied by, smallest first.
var exponents = [...]int{0, 3, 6, 9, 12}

// maxRoundingError is the part of the total by which rounding may change a profile. Where it is more, the numbers are
// multiplied.
const maxRoundingError = 0.001

// surveyFolded looks at all lines of a file to find out how many numbers they have and whether these are whole.
func surveyFolded(data []byte) foldedSurvey {
	var one, two, twoOfSeveralFrames int
	var single, double [2]scale // of the last number, and of the one before it
	for _, line := range foldedLines(data) {
		rest, last, ok := cutNumber(line)
		if !ok {
			continue
		}
		single[0].add(last)
		stack, first, ok := cutNumber(rest)
		if !ok {
			one++
			continue
		}
		two++
		if bytes.IndexByte(stack, ';') >= 0 {
			twoOfSeveralFrames++
		}
		double[0].add(last)
		double[1].add(first)
	}
	s := foldedSurvey{columns: 1}
	scales := single
	// A function's name may end in a number, but not that of every function. A single frame may be a thread such as "worker 1".
	if two > 0 && one <= twoOfSeveralFrames/2 {
		s.columns, scales = 2, double
	} else {
		s.ambiguous = two
	}
	if !scales[0].fractions && !scales[1].fractions {
		return s
	}
	for i, e := range exponents {
		sum := max(scales[0].sums[i], scales[1].sums[i])
		if i > 0 && sum > math.MaxInt64/2 {
			break
		}
		s.exponent = e
		if scales[0].exact(i) && scales[1].exact(i) {
			break
		}
	}
	s.rounded = s.exponent == 0
	return s
}

// scale sums the numbers of a column and the errors of rounding them, multiplied by each power of ten.
type scale struct {
	fractions    bool
	sums, errors [len(exponents)]float64
}

func (s *scale) add(n number) {
	s.fractions = s.fractions || n.fraction
	for i, e := range exponents {
		v := n.value * math.Pow10(e)
		s.sums[i] += math.Abs(v)
		s.errors[i] += math.Abs(v - math.Round(v))
	}
}

// exact reports whether rounding changes little when numbers are multiplied by the power of ten with the given index.
func (s *scale) exact(i int) bool { return s.errors[i] <= maxRoundingError*s.sums[i] }

// cutValues splits a line into its stack and its values. It reports whether the line has them.
func (s foldedSurvey) cutValues(line []byte) (stack []byte, values []int64, ok bool) {
	stack, last, ok := cutNumber(line)
	if !ok {
		return nil, nil, false
	}
	if s.columns == 1 {
		return bytes.TrimLeft(stack, " \t"), []int64{s.scaled(last)}, true
	}
	stack, first, ok := cutNumber(stack)
	return bytes.TrimLeft(stack, " \t"), []int64{s.scaled(first), s.scaled(last)}, ok
}

// scaled returns a number multiplied by the power of ten and rounded.
func (s foldedSurvey) scaled(n number) int64 {
	if s.exponent == 0 && !n.fraction {
		return n.whole
	}
	return int64(math.Round(n.value * math.Pow10(s.exponent)))
}

// types returns the types of the values.
func (s foldedSurvey) types() []*profile.ValueType {
	unit := fractionUnits[s.exponent]
	if s.columns == 2 {
		return []*profile.ValueType{{Type: "before", Unit: unit}, {Type: "after", Unit: unit}}
	}
	return []*profile.ValueType{{Type: "samples", Unit: unit}}
}

// expected describes a line as it should be.
func (s foldedSurvey) expected() string {
	if s.columns == 2 {
		return "a stack followed by two numbers"
	}
	return "a stack followed by a number"
}

// addNotes adds comments on how the numbers were read.
func (s foldedSurvey) addNotes(p *profile.Profile) {
	if s.columns == 2 {
		meta.FileNote.Add(p, "its lines have two numbers, so it is a difference: the values are after, and before with --sample before")
	}
	if s.ambiguous > 0 {
		meta.FileNote.Add(p, fmt.Sprintf("lines that end in two numbers: %d, in a file of lines with one; the first is read as a part of the function's name", s.ambiguous))
	}
	if s.exponent > 0 {
		meta.FileNote.Add(p, fmt.Sprintf("its numbers have fractions, so the values are %s", fractionUnits[s.exponent]))
	} else if s.rounded {
		meta.FileNote.Add(p, "its numbers have fractions, which are rounded")
	}
}
