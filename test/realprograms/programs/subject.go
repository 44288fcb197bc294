package programs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/pprof/profile"
)

// subject is a Go program that serves net/http/pprof, with functions that profile it from inside
// and from outside.
type subject struct {
	own  func(ctx context.Context, query string) (*profile.Profile, error)                                // the program's own profile
	take func(ctx context.Context, d time.Duration, types ...string) (map[string]*profile.Profile, error) // by type
	// waits lists which of the types mutex and block the program collects.
	waits []string
}

// Duration of the profiles of a busy program, and when its own profiles are taken meanwhile.
const (
	busyTime    = 10 * time.Second
	firstAsked  = 5 * time.Second
	secondAsked = firstAsked + 2*time.Second
)

// own holds a program's own profiles at one time.
type own map[string]*profile.Profile

func (s *subject) ask(ctx context.Context, types ...string) (own, error) {
	all := own{}
	for _, t := range types {
		query := t
		if t == "heap" {
			query += "?gc=1" // so that it includes all allocations up to now
		}
		p, err := s.own(ctx, query)
		if err != nil {
			return nil, fmt.Errorf("asking it for its own profile %s: %w", t, err)
		}
		all[t] = p
	}
	return all, nil
}

// compareBusy takes all types of profile of a program that works, and asks it itself before,
// meanwhile and after.
func (s *subject) compareBusy(ctx context.Context) ([]Comparison, error) {
	inTime, err := s.compareTime(ctx)
	if err != nil {
		return nil, err
	}
	atOnce := append([]string{"heap", "goroutine"}, s.waits...)
	before, err := s.ask(ctx, atOnce...)
	if err != nil {
		return nil, err
	}
	type result struct {
		profiles map[string]*profile.Profile
		err      error
	}
	done := make(chan result, 1)
	go func() {
		p, err := s.take(ctx, busyTime, append([]string{"offcpu", "wall", "allocs", "faults"}, atOnce...)...)
		done <- result{p, err}
	}()
	started := time.Now()
	var during []own
	for _, at := range []time.Duration{firstAsked, secondAsked} {
		select {
		case r := <-done:
			return nil, errors.Join(r.err, errors.New("the profiles came too early"))
		case <-time.After(time.Until(started.Add(at))):
		}
		o, err := s.ask(ctx, "heap", "goroutine")
		if err != nil {
			<-done
			return nil, err
		}
		during = append(during, o)
	}
	asked := time.Now()
	r := <-done
	if r.err != nil {
		return nil, r.err
	}
	after, err := s.ask(ctx, atOnce...)
	if err != nil {
		return nil, err
	}
	ours, first, second := r.profiles, during[0], during[1]
	from := time.Unix(0, ours["allocs"].TimeNanos)
	if to := from.Add(time.Duration(ours["allocs"].DurationNanos)); from.After(started.Add(firstAsked)) || to.Before(asked) {
		return nil, fmt.Errorf("allocations were counted from %v to %v, but asked for at %v and %v", from, to, started.Add(firstAsked), asked)
	}
	space := func(p *profile.Profile) map[string]int64 { return byStack(p, "alloc_space", nil) }
	count := func(o own) int64 { return sum(withoutAnswers(byStack(o["goroutine"], "goroutine", nil))) }
	average := sum(withoutAnswers(byStack(ours["wall"], "time", nil))) / ours["wall"].DurationNanos
	all := append(inTime,
		between("bytes ever allocated", space(before["heap"]), space(ours["heap"]), space(after["heap"])),
		between("bytes allocated meanwhile", minus(space(second["heap"]), space(first["heap"])), space(ours["allocs"]), minus(space(after["heap"]), space(before["heap"]))),
		near("goroutines, on the average of wall", average, count(before), count(first), count(second), count(after)),
	)
	for _, t := range s.waits {
		// These stacks alone have the compiler's wrappers too, from Go 1.23 on, which we
		// leave out of all.
		known := placesOf(ours[t])
		waits := func(p *profile.Profile) map[string]int64 { return byStack(p, "contentions", known) }
		delay := func(p *profile.Profile) int64 { return sum(byStack(p, "delay", known)) }
		all = append(all,
			between(t+" contentions", waits(before[t]), waits(ours[t]), waits(after[t])),
			near(t+" delay in ns", delay(ours[t]), delay(before[t]), delay(after[t])))
	}
	for _, t := range []string{"offcpu", "faults"} { // Go has no profiles of these types
		if len(ours[t].Sample) == 0 {
			return nil, fmt.Errorf("the profile %s is empty", t)
		}
	}
	return all, nil
}

// compareTime takes CPU profiles from inside and outside at the same time.
func (s *subject) compareTime(ctx context.Context) ([]Comparison, error) {
	type result struct {
		profile *profile.Profile
		err     error
	}
	done := make(chan result, 1)
	go func() {
		p, err := s.own(ctx, fmt.Sprintf("profile?seconds=%d", busyTime/time.Second))
		done <- result{p, err}
	}()
	ours, err := s.take(ctx, busyTime, "cpu")
	r := <-done
	if err := errors.Join(err, r.err); err != nil {
		return nil, err
	}
	return []Comparison{compareHottest(r.profile, ours["cpu"])}, nil
}

// compareResting compares the goroutines and live objects of a program at rest.
func (s *subject) compareResting(ctx context.Context) ([]Comparison, error) {
	values := map[string]string{"goroutine": "goroutine", "heap": "inuse_space"}
	types := slices.Sorted(maps.Keys(values))
	for deadline := time.Now().Add(time.Minute); ; {
		before, err := s.ask(ctx, types...)
		if err != nil {
			return nil, err
		}
		ours, err := s.take(ctx, busyTime, types...)
		if err != nil {
			return nil, err
		}
		after, err := s.ask(ctx, types...)
		if err != nil {
			return nil, err
		}
		var all []Comparison
		resting := true
		for _, t := range types {
			c, rests := steady(values[t], byStack(before[t], values[t], nil), byStack(ours[t], values[t], nil), byStack(after[t], values[t], nil))
			all, resting = append(all, c), resting && rests
		}
		if resting {
			return all, nil
		}
		if time.Now().After(deadline) {
			return all, errors.New("its goroutines and objects come and go all the time, so they cannot be compared")
		}
	}
}
