//go:build linux

package capture

import (
	"fmt"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/requirements"
)

// NewCPU samples where a container spends its CPU time.
func NewCPU(o Options) (*Sampler, error) {
	if err := checkFrequency(o.Frequency); err != nil {
		return nil, err
	}
	event := cpuClock(time.Second / time.Duration(o.Frequency))
	kind := cpuKind(o.Frequency)
	return newSampler(o, plan{kind: kind, event: &event, weigh: func(*sample) amount { return amount{1, kind.period} }})
}

func checkFrequency(hz int) error {
	if hz < 1 || hz > requirements.MaxFrequency {
		return fmt.Errorf("frequency %d Hz: must be from 1 to %d", hz, requirements.MaxFrequency)
	}
	return nil
}

func cpuKind(frequency int) kind {
	cpu := &profile.ValueType{Type: "cpu", Unit: "nanoseconds"}
	period := time.Second.Nanoseconds() / int64(frequency)
	return kind{
		types:       []*profile.ValueType{{Type: "samples", Unit: "count"}, cpu},
		defaultType: cpu.Type, periodType: cpu, period: period, each: period,
	}
}
