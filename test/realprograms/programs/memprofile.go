package programs

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// memProfileOf takes a memory profile of a program whose memory profile the linker has disabled, and
// checks that it is off before and after.
func (r *Runner) memProfileOf(ctx context.Context, p Program) ([]Comparison, error) {
	off := func(when string) error {
		if _, err := r.take(ctx, p, time.Second, []string{"heap"}); err == nil || !strings.Contains(err.Error(), "--enable-memprofile turns it on") {
			return fmt.Errorf("its memory profile is to be off %s, but: %v", when, err)
		}
		return nil
	}
	if err := off("by itself"); err != nil {
		return nil, err
	}
	types := []string{"heap", "allocs"}
	profiles, err := r.take(ctx, p, seconds*time.Second, types, "--enable-memprofile")
	if err != nil {
		return nil, err
	}
	var all []Comparison
	for _, t := range types {
		total, below := int64(0), int64(0)
		for _, s := range profiles[t].Sample {
			const bytes = 1 // index of the bytes in the values of heap and allocs
			total += s.Value[bytes]
			if functionsOf(namesOf(s))[p.Allocates] {
				below += s.Value[bytes]
			}
		}
		c := Comparison{What: fmt.Sprintf("per mille of the %d MB that %s has in %s", total/1e6, t, p.Allocates), Least: 500, Ours: 1000 * below / max(total, 1), Most: 1000}
		if c.Ours < c.Least {
			c.Off = "too little"
		}
		all = append(all, c)
	}
	return all, off("again")
}
