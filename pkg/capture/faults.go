package capture

import (
	"os"

	"github.com/google/pprof/profile"
)

// NewFaults samples where a container's page faults come from, which is where its memory grows, whatever its language.
// Options.Frequency is the most samples per second and CPU; each stands for all faults since the one before, so that
// a program that faults a million times a second is not held up by being looked at.
func NewFaults(o Options) (*Sampler, error) {
	if err := checkFrequency(o.Frequency); err != nil {
		return nil, err
	}
	event := pageFaults(o.Frequency)
	page := int64(os.Getpagesize())
	faults := &profile.ValueType{Type: "faults", Unit: "count"}
	k := kind{
		types:       []*profile.ValueType{faults, {Type: "memory", Unit: "bytes"}},
		defaultType: faults.Type, periodType: faults, period: 1, each: page,
	}
	return newSampler(o, plan{
		kind: k, event: &event,
		weigh: func(s *sample) amount { return amount{int64(s.period), int64(s.period) * page} },
		describe: func(b *profileBuilder) {
			b.comment("memory: page faults of %d bytes each; less than what was mapped where the kernel maps more pages "+
				"at once (files, huge pages), more where a page is faulted in again (copied after fork, written after read)", page)
		},
	})
}
