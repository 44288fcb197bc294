//go:build linux

package sampling

import (
	"os"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/builder"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/run"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
)

// faultPeriod is how many faults an event stands for. A CPU can do 500,000 of them a second; the kernel drops events
// beyond 100,000 (sysctl kernel.perf_event_max_sample_rate), and one costs a tenth of what a fault does.
const faultPeriod = 8

// NewFaults samples where a container's page faults come from, which is where its memory grows, whatever its language.
// Every 8th fault is an event. Of each CPU's in a second the first Options.Frequency become samples, of as many more
// every second, then every fourth, and so on, and each stands for those that do not: a program that faults as often as
// it can is not held up by being looked at.
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
			b.Comment("memory: page faults of %d bytes each; less than what was mapped where the kernel maps more pages "+
				"at once (files, huge pages), more where a page is faulted in again (copied after fork, written after read)", page)
		},
	})
}
