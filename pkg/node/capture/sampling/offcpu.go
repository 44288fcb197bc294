//go:build linux

package sampling

import (
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/builder"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/run"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// NewOffCPU measures where a container's threads wait and for how long, including threads that wait during the whole
// capture. The label "state" is the state of the waiting thread. Options.Frequency and Options.Times are ignored.
func NewOffCPU(o run.Options) (*Sampler, error) {
	offCPU := &profile.ValueType{Type: "offcpu", Unit: "nanoseconds"}
	o.Times = false // a wait has a duration, not a moment
	return newSampler(o, plan{
		kind: builder.Kind{
			Types:       []*profile.ValueType{{Type: "waits", Unit: "count"}, offCPU},
			DefaultType: offCPU.Type, PeriodType: offCPU, Period: 1,
		},
		waits: true, states: true,
	})
}

// NewThreadWall samples the threads of processes on and off the CPU. The times of a thread add up to its lifetime.
// Processes for whose PID in our namespace leaveOut returns true are ignored.
func NewThreadWall(o run.Options, leaveOut func(pid int) bool) (*Sampler, error) {
	if err := checkFrequency(o.Frequency); err != nil {
		return nil, err
	}
	wall := &profile.ValueType{Type: "time", Unit: "nanoseconds"}
	o.Times = false
	period := time.Second / time.Duration(o.Frequency)
	event := cpuClock(period)
	return newSampler(o, plan{
		kind: builder.Kind{
			Types:       []*profile.ValueType{{Type: "samples", Unit: "count"}, wall},
			DefaultType: wall.Type, PeriodType: wall, Period: period.Nanoseconds(),
		},
		event: &event, weigh: func(*record.Sample) stack.Amount { return stack.Amount{Count: 1, Value: period.Nanoseconds()} },
		waits: true, states: true, leaveOut: leaveOut,
	})
}

// states are the values of the label "state".
var states = map[bpf.CPUWaitState]string{
	bpf.CPUWaitStateWAIT_RUNNABLE: "runnable", bpf.CPUWaitStateWAIT_SLEEPING: "sleeping",
	bpf.CPUWaitStateWAIT_BLOCKED: "blocked", bpf.CPUWaitStateWAIT_STOPPED: "stopped",
}

// addState adds the state of a sample's thread as the first label, and makes group differ between states.
func addState(s *record.Sample, group string, labels []record.Label) (string, []record.Label) {
	name := "running"
	if s.Serial != 0 {
		if name = states[s.State]; name == "" {
			name = "unknown"
		}
	}
	return name + " " + group, append([]record.Label{{Key: meta.StateLabel.Name(), Value: name}}, labels...)
}
