//go:build linux

package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// cumulative returns for each function the share of samples in whose stacks it occurs.
func cumulative(p *profile.Profile) map[string]float64 {
	shares, total := map[string]float64{}, 0.0
	for _, s := range p.Sample {
		total += float64(s.Value[0])
		var seen []string
		for _, l := range s.Location {
			for _, line := range l.Line {
				if !slices.Contains(seen, line.Function.Name) {
					seen = append(seen, line.Function.Name)
				}
			}
		}
		for _, name := range seen {
			shares[name] += float64(s.Value[0])
		}
	}
	for name := range shares {
		shares[name] /= total
	}
	return shares
}

// expectFunctions checks that each wanted function has at least 1 % of the samples and that no
// unwanted one occurs.
func expectFunctions(t *testing.T, p *profile.Profile, wanted, unwanted []string) {
	t.Helper()
	shares := cumulative(p)
	for _, name := range wanted {
		if shares[name] < 0.01 {
			t.Errorf("%s has %.2f %% of the samples; the profile's functions: %s", name, 100*shares[name], hottest(shares))
		}
	}
	for _, name := range unwanted {
		if shares[name] > 0 {
			t.Errorf("%s of another container is in the profile", name)
		}
	}
}

func hottest(shares map[string]float64) string {
	var names []string
	for name := range shares {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(b, a) })
	slices.SortStableFunc(names, func(a, b string) int {
		switch {
		case shares[a] > shares[b]:
			return -1
		case shares[a] < shares[b]:
			return 1
		}
		return 0
	})
	return strings.Join(names[:min(len(names), 15)], ", ")
}

func intstrOf(port int) intstr.IntOrString { return intstr.FromInt32(int32(port)) }
