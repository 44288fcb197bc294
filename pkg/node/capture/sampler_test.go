//go:build linux

package capture

import "testing"

// Records that are too short are counted as lost, not read beyond their end.
func TestShortRecordsAreLost(t *testing.T) {
	c := &Sampler{stacks: newStackTable()}
	c.waits = newWaits(waitsOf{c})
	c.keep(rawSample(nil, []uint64{1}, 0)[:20])
	c.keep(rawWaited(9, 1, 40)[:12])
	if c.stacks.dropped != 2 {
		t.Errorf("%d records are counted as lost, want 2", c.stacks.dropped)
	}
}
