package meta

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// text returns a key for free text. Merged profiles keep each different value.
func text(name string) Key[string] {
	same := func(s string) string { return s }
	return Key[string]{name, same, func(s string) (string, error) { return s, nil }}
}

// number returns a key for integers that are written with a unit, as " Hz". Merged profiles keep each different value.
func number(name, unit string) Key[int64] {
	return Key[int64]{
		name:   name,
		format: func(n int64) string { return strconv.FormatInt(n, 10) + unit },
		parse: func(s string) (int64, error) {
			digits, ok := strings.CutSuffix(s, unit)
			if !ok {
				return 0, fmt.Errorf("%q does not end with %q", s, unit)
			}
			return strconv.ParseInt(digits, 10, 64)
		},
	}
}

// count returns a key for a number of things. Merged profiles have the sum.
func count(name string) Key[int64] {
	return joinedBy(number(name, ""), func(a, b int64) int64 { return a + b })
}

// instant returns a key for a time, written as RFC 3339 in UTC. Merged profiles have the earliest.
func instant(name string) Key[time.Time] {
	k := Key[time.Time]{
		name:   name,
		format: func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) },
		parse:  func(s string) (time.Time, error) { return time.Parse(time.RFC3339Nano, s) },
	}
	return joinedBy(k, func(a, b time.Time) time.Time {
		if b.Before(a) {
			return b
		}
		return a
	})
}

// step returns a key for the resolution of times. Merged profiles have the coarsest.
func step(name string) Key[time.Duration] {
	const prefix = "in steps of "
	k := Key[time.Duration]{
		name:   name,
		format: func(d time.Duration) string { return prefix + d.String() },
		parse: func(s string) (time.Duration, error) {
			return time.ParseDuration(strings.TrimPrefix(s, prefix))
		},
	}
	return joinedBy(k, func(a, b time.Duration) time.Duration { return max(a, b) })
}

// Waits is a number of waits and how long they were together.
type Waits struct {
	Count int64
	Time  time.Duration
}

// waits returns a key for Waits. Merged profiles have the sum.
func waits(name string) Key[Waits] {
	k := Key[Waits]{
		name:   name,
		format: func(w Waits) string { return fmt.Sprintf("%d, of %v", w.Count, w.Time) },
		parse: func(s string) (w Waits, err error) {
			n, d, ok := strings.Cut(s, ", of ")
			if !ok {
				return w, errors.New("no duration")
			}
			var errCount, errTime error
			w.Count, errCount = strconv.ParseInt(n, 10, 64)
			w.Time, errTime = time.ParseDuration(d)
			return w, errors.Join(errCount, errTime)
		},
	}
	return joinedBy(k, func(a, b Waits) Waits { return Waits{a.Count + b.Count, a.Time + b.Time} })
}

// Quanta are what one sample stands for on either side of a comparison, in the unit of the values; 0 where values are not
// counted in samples.
type Quanta struct{ Before, After float64 }

// quanta returns a key for Quanta. Merged profiles keep each different value.
func quanta(name string) Key[Quanta] {
	return Key[Quanta]{
		name:   name,
		format: func(q Quanta) string { return fmt.Sprintf("before %g, after %g", q.Before, q.After) },
		parse: func(s string) (q Quanta, err error) {
			_, err = fmt.Sscanf(s, "before %g, after %g", &q.Before, &q.After)
			return q, err
		},
	}
}
