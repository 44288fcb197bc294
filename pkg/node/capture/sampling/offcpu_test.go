//go:build linux

package sampling

import (
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
)

func TestAddState(t *testing.T) {
	groups := map[string]bool{}
	for _, c := range []struct {
		s    record.Sample
		want string
	}{
		{record.Sample{}, "running"},
		{record.Sample{Serial: 1}, "unknown"},
		{record.Sample{Serial: 1, State: bpf.CPUWaitStateWAIT_RUNNABLE}, "runnable"},
		{record.Sample{Serial: 1, State: bpf.CPUWaitStateWAIT_SLEEPING}, "sleeping"},
		{record.Sample{Serial: 1, State: bpf.CPUWaitStateWAIT_BLOCKED}, "blocked"},
		{record.Sample{Serial: 1, State: bpf.CPUWaitStateWAIT_STOPPED}, "stopped"},
	} {
		group, labels := addState(&c.s, "group", []record.Label{{Key: "request", Value: "slow"}})
		if len(labels) != 2 || labels[0] != (record.Label{Key: "state", Value: c.want}) || groups[group] {
			t.Errorf("%s: labels %+v, group %q", c.want, labels, group)
		}
		groups[group] = true
	}
}
