//go:build linux

package sampling

import (
	"fmt"
	"os"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/builder"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/run"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// faultPeriod is the number of page faults per event. A CPU can take 500,000 faults a second; the kernel drops events
// beyond 100,000 (sysctl kernel.perf_event_max_sample_rate), and an event costs a tenth of a fault.
const faultPeriod = 8

// NewFaults samples a container's page faults, which show where its memory grows in any language. Every 8th fault is an
// event. In each second, the first Options.Frequency events of a CPU become samples, then every second event, then every
// fourth, and so on. A sample stands for the events skipped before it. This bounds the overhead of frequent faults.
func NewFaults(o run.Options) (*Sampler, error) {
	if err := checkFrequency(o.Frequency); err != nil {
		return nil, err
	}
	event := pageFaults(faultPeriod)
	page := int64(os.Getpagesize())
	faults := &profile.ValueType{Type: "faults", Unit: "count"}
	k := builder.Kind{
		Types:       []*profile.ValueType{faults, {Type: "memory", Unit: "bytes"}},
		DefaultType: faults.Type, PeriodType: faults, Period: 1, ValuePerCount: page,
	}
	return newSampler(o, plan{
		kind: k, event: &event, stepSamples: uint32(o.Frequency),
		weigh: func(s *record.Sample) stack.Amount {
			return stack.Amount{Count: int64(s.Period), Value: int64(s.Period) * page}
		},
		describe: func(b *builder.Builder) {
			meta.Memory.Add(b.Profile, fmt.Sprintf("page faults of %d bytes each; less than what was mapped where the kernel maps more pages "+
				"at once (files, huge pages), more where a page is faulted in again (copied after fork, written after read)", page))
		},
	})
}
