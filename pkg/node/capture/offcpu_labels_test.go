//go:build linux

package capture

import (
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
)

func TestAddState(t *testing.T) {
	groups := map[string]bool{}
	for _, c := range []struct {
		s    sample
		want string
	}{
		{sample{}, "running"},
		{sample{serial: 1}, "unknown"},
		{sample{serial: 1, state: bpf.CPUWaitStateWAIT_RUNNABLE}, "runnable"},
		{sample{serial: 1, state: bpf.CPUWaitStateWAIT_SLEEPING}, "sleeping"},
		{sample{serial: 1, state: bpf.CPUWaitStateWAIT_BLOCKED}, "blocked"},
		{sample{serial: 1, state: bpf.CPUWaitStateWAIT_STOPPED}, "stopped"},
	} {
		group, labels := addState(&c.s, "group", []label{{key: "request", value: "slow"}})
		if len(labels) != 2 || labels[0] != (label{key: "state", value: c.want}) || groups[group] {
			t.Errorf("%s: labels %+v, group %q", c.want, labels, group)
		}
		groups[group] = true
	}
}
