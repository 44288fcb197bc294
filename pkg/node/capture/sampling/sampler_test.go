//go:build linux

package sampling

import (
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record/recordtest"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/waits"
)

// Records that are too short are counted as lost, not read beyond their end.
func TestShortRecordsAreLost(t *testing.T) {
	c := &Sampler{stacks: stack.NewTable()}
	c.waits = waits.New(waitsHost{c})
	c.keep(recordtest.Sample(nil, []uint64{1}, 0)[:20])
	c.keep(recordtest.WaitTotal(9, 1, 40)[:12])
	if c.stacks.Dropped != 2 {
		t.Errorf("%d records are counted as lost, want 2", c.stacks.Dropped)
	}
}
