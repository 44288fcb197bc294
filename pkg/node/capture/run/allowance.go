//go:build linux

package run

import "time"

// Allowance bounds the time for work that a target can make slow, and that is done while samples wait: a fixed time and a
// fifth of the time since the first use. It is not safe for concurrent use.
type Allowance struct {
	Fixed time.Duration
	began time.Time
	spent time.Duration
}

// Left returns the time that is left, which may be negative.
func (a *Allowance) Left() time.Duration {
	if a.began.IsZero() {
		a.began = time.Now()
	}
	return a.Fixed + time.Since(a.began)/5 - a.spent
}

// Spend records that the work took the time since began.
func (a *Allowance) Spend(began time.Time) { a.spent += time.Since(began) }
