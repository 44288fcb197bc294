//go:build linux

package run

import (
	"testing"
	"time"
)

func TestAllowance(t *testing.T) {
	a := Allowance{Fixed: time.Hour}
	if left := a.Left(); left < time.Hour || left > time.Hour+time.Minute {
		t.Errorf("%v left at first, want an hour", left)
	}
	a.Spend(time.Now().Add(-2 * time.Hour))
	if left := a.Left(); left > -30*time.Minute {
		t.Errorf("%v left after two hours of work, want about minus an hour", left)
	}
	a.began = time.Now().Add(-10 * time.Hour)
	if left := a.Left(); left < 30*time.Minute {
		t.Errorf("%v left after ten hours, want a fifth of them more", left)
	}
}
