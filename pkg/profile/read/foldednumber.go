package read

import (
	"bytes"
	"math"
	"strconv"
)

// number is a number at the end of a folded line.
type number struct {
	whole    int64
	value    float64
	fraction bool // whole is not set
}

// maxNumber is the longest text of a number, in bytes. Python prints floating-point numbers in up to 24 characters.
const maxNumber = 40

// parseNumber parses a whole number, a decimal fraction or a number with a power of ten.
func parseNumber(text []byte) (n number, ok bool) {
	if len(text) > maxNumber || len(bytes.Trim(text, "0123456789.eE+-")) > 0 {
		return n, false // ParseFloat would read "infinity" and hexadecimal numbers as well
	}
	var err error
	if n.whole, err = strconv.ParseInt(string(text), 10, 64); err == nil {
		n.value = float64(n.whole)
		return n, true
	}
	if n.value, err = strconv.ParseFloat(string(text), 64); err != nil || math.Abs(n.value) > maxFloat {
		return n, false
	}
	if n.value == math.Trunc(n.value) {
		n.whole = int64(n.value)
	} else {
		n.fraction = true
	}
	return n, true
}

// maxFloat is the largest floating-point number that is taken. All whole numbers below are exact.
const maxFloat = 1 << 53

// cutNumber splits a line, which has no white space at its end, before the number at its end. It reports whether there is one.
// The rest has no white space at its end either.
func cutNumber(line []byte) (rest []byte, n number, ok bool) {
	blank := bytes.LastIndexAny(line, " \t")
	if blank < 0 {
		return nil, n, false
	}
	n, ok = parseNumber(line[blank+1:])
	return bytes.TrimRight(line[:blank], " \t"), n, ok
}
