//go:build linux

package capture_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

// names returns the names of a stack's functions, leaf to root, each followed by a comma.
func names(s *profile.Sample) string {
	var b strings.Builder
	for _, l := range s.Location {
		for _, line := range l.Line {
			b.WriteString(line.Function.Name + ",")
		}
	}
	return b.String()
}

func label(s *profile.Sample, key string) string { return strings.Join(s.Label[key], ",") }

// total returns the sum of the first values.
func total(p *profile.Profile) (n int64) {
	for _, s := range p.Sample {
		n += s.Value[0]
	}
	return n
}

// samplesAt returns the number of samples with the given frames, leaf to root.
func samplesAt(p *profile.Profile, frames string) (n int64) {
	for _, s := range p.Sample {
		if strings.Contains(names(s), frames) {
			n += s.Value[0]
		}
	}
	return n
}

// keepFunction removes all samples whose stacks do not have a function that ends with a name.
func keepFunction(p *profile.Profile, name string) *profile.Profile {
	p.Sample = slices.DeleteFunc(p.Sample, func(s *profile.Sample) bool { return !hasFunction(s, name) })
	return p
}

func hasFunction(s *profile.Sample, name string) bool {
	for _, l := range s.Location {
		for _, line := range l.Line {
			if strings.HasSuffix(line.Function.Name, name) {
				return true
			}
		}
	}
	return false
}

// expectComplete reports an error unless nearly all stacks lead to their roots.
func expectComplete(t *testing.T, p *profile.Profile) {
	t.Helper()
	all, bad := int64(0), int64(0)
	for _, s := range p.Sample {
		all += s.Value[0]
		if stack := names(s); strings.HasSuffix(stack, "[broken stack],") || strings.HasSuffix(stack, "[truncated],") {
			bad += s.Value[0]
			t.Logf("not complete: %s", stack)
		}
	}
	if all < 50 || float64(bad) > max(2, 0.02*float64(all)) {
		t.Errorf("%d of %d stacks are not complete", bad, all)
	}
}

// expectMost reports an error unless most of the samples have the given frames, leaf to root.
func expectMost(t *testing.T, p *profile.Profile, frames string) {
	t.Helper()
	if all, right := total(p), samplesAt(p, frames); float64(right) < 0.9*float64(all) || all < 20 {
		for _, s := range p.Sample[:min(10, len(p.Sample))] {
			t.Logf("%d times %s", s.Value[0], names(s))
		}
		t.Errorf("%d of %d samples have the frames %s; %q", right, all, frames, p.Comments)
	}
}

// expectAt reports an error unless the profile has samples with the given frames, leaf to root, and nothing
// of a process that could not be read.
func expectAt(t *testing.T, p *profile.Profile, frames string) {
	t.Helper()
	found := false
	for _, s := range p.Sample {
		stack := names(s)
		found = found || strings.Contains(stack, frames)
		if strings.Contains(stack, "[process exited]") {
			t.Errorf("%d samples of a process that has ended: %s", s.Value[0], stack)
		}
	}
	if !found {
		t.Errorf("no sample has the frames %s; %q\n%v", frames, p.Comments, p)
	}
}

func logSamples(t *testing.T, p *profile.Profile) {
	t.Helper()
	for _, s := range p.Sample {
		t.Log(s.Value, label(s, "thread"), label(s, "state"), names(s))
	}
	t.Logf("%q", p.Comments)
}
