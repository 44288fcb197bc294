//go:build linux

package record

import (
	"encoding/binary"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record/recordtest"
)

// A record that is cut anywhere is refused. Both kinds of totals are parsed.
func TestParseWaitTotal(t *testing.T) {
	raw := recordtest.WaitTotal(9, 2, 40)
	for n := range raw {
		if _, err := ParseWaitTotal(raw[:n]); err == nil {
			t.Errorf("%d of %d bytes were taken for a record", n, len(raw))
		}
	}
	rest := recordtest.WaitTotal(9, 2, 40)
	binary.NativeEndian.PutUint32(rest, uint32(bpf.CPURecordKindRECORD_UNWALKED_TOTAL))
	for _, c := range []struct {
		raw  []byte
		want WaitTotal
	}{
		{raw, WaitTotal{Serial: 9, Count: 2, Time: 40}},
		{rest, WaitTotal{Unwalked: true, Serial: 9, Count: 2, Time: 40}},
	} {
		if got, err := ParseWaitTotal(c.raw); err != nil || got != c.want {
			t.Errorf("got %+v, %v, want %+v", got, err, c.want)
		}
	}
}
