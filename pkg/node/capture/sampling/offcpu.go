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
)

// NewOffCPU samples where a container's threads wait, and for how long: those that wait all the time count with all
// of it. A sample's label "state" says what for. Options.Frequency does not matter, nor does Options.Times.
func NewOffCPU(o run.Options) (*Sampler, error) {
	offCPU := &profile.ValueType{Type: "offcpu", Unit: "nanoseconds"}
	o.Times = false // a wait is no moment
	return newSampler(o, plan{
		kind: builder.Kind{
			Types:       []*profile.ValueType{{Type: "waits", Unit: "count"}, offCPU},
			DefaultType: offCPU.Type, PeriodType: offCPU, Period: 1,
		},
		waits: true, states: true,
	})
}

// NewThreadWall samples what the threads of processes do, on and off the CPU: together as long as the threads exist.
// Processes for whose PID (in our namespace) leaveOut gives true are left out.
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

// addState puts a thread's state before the labels that it has, as addThread does with its name.
func addState(s *record.Sample, group string, labels []record.Label) (string, []record.Label) {
	name := "running"
	if s.Serial != 0 {
		if name = states[s.State]; name == "" {
			name = "unknown"
		}
	}
	return name + " " + group, append([]record.Label{{Key: "state", Value: name}}, labels...)
}
