//go:build linux

package sampling

import (
	"fmt"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/builder"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/run"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/requirements"
)

// NewCPU samples where a container spends its CPU time.
func NewCPU(o run.Options) (*Sampler, error) {
	if err := checkFrequency(o.Frequency); err != nil {
		return nil, err
	}
	event := cpuClock(time.Second / time.Duration(o.Frequency))
	kind := cpuKind(o.Frequency)
	return newSampler(o, plan{kind: kind, event: &event, weigh: func(*record.Sample) stack.Amount { return stack.Amount{Count: 1, Value: kind.Period} }})
}

func checkFrequency(hz int) error {
	if hz < 1 || hz > requirements.MaxFrequency {
		return fmt.Errorf("frequency %d Hz: must be from 1 to %d", hz, requirements.MaxFrequency)
	}
	return nil
}

func cpuKind(frequency int) builder.Kind {
	cpu := &profile.ValueType{Type: "cpu", Unit: "nanoseconds"}
	period := time.Second.Nanoseconds() / int64(frequency)
	return builder.Kind{
		Types:       []*profile.ValueType{{Type: "samples", Unit: "count"}, cpu},
		DefaultType: cpu.Type, PeriodType: cpu, Period: period, ValuePerCount: period,
	}
}
