//go:build linux

package capture

import (
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
)

// NewOffCPU samples where a container's threads wait, and for how long: those that wait all the time count with all
// of it. A sample's label "state" says what for. Options.Frequency does not matter, nor does Options.Times.
func NewOffCPU(o Options) (*Sampler, error) {
	offCPU := &profile.ValueType{Type: "offcpu", Unit: "nanoseconds"}
	o.Times = false // a wait is no moment
	return newSampler(o, plan{
		kind: kind{
			types:       []*profile.ValueType{{Type: "waits", Unit: "count"}, offCPU},
			defaultType: offCPU.Type, periodType: offCPU, period: 1,
		},
		waits: true, states: true,
	})
}

// newThreadWall samples what the threads of processes do, on and off the CPU: together as long as the threads exist.
// Processes for whose PID (in our namespace) leaveOut gives true are left out.
func newThreadWall(o Options, leaveOut func(pid int) bool) (*Sampler, error) {
	if err := checkFrequency(o.Frequency); err != nil {
		return nil, err
	}
	wall := &profile.ValueType{Type: "time", Unit: "nanoseconds"}
	o.Times = false
	period := time.Second / time.Duration(o.Frequency)
	event := cpuClock(period)
	return newSampler(o, plan{
		kind: kind{
			types:       []*profile.ValueType{{Type: "samples", Unit: "count"}, wall},
			defaultType: wall.Type, periodType: wall, period: period.Nanoseconds(),
		},
		event: &event, weigh: func(*sample) amount { return amount{1, period.Nanoseconds()} },
		waits: true, states: true, leaveOut: leaveOut,
	})
}

// states are the values of the label "state".
var states = map[bpf.CPUWaitState]string{
	bpf.CPUWaitStateWAIT_RUNNABLE: "runnable", bpf.CPUWaitStateWAIT_SLEEPING: "sleeping",
	bpf.CPUWaitStateWAIT_BLOCKED: "blocked", bpf.CPUWaitStateWAIT_STOPPED: "stopped",
}

// addState puts a thread's state before the labels that it has, as addThread does with its name.
func addState(s *sample, group string, labels []label) (string, []label) {
	name := "running"
	if s.serial != 0 {
		if name = states[s.state]; name == "" {
			name = "unknown"
		}
	}
	return name + " " + group, append([]label{{key: "state", value: name}}, labels...)
}
