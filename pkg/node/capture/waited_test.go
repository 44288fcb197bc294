//go:build linux

package capture

import (
	"testing"

	"encoding/binary"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
)

// A record that was cut anywhere is refused, and one of waits without stacks says so.
func TestParseWaited(t *testing.T) {
	raw := rawWaited(9, 2, 40)
	for n := range raw {
		if _, err := parseWaited(raw[:n]); err == nil {
			t.Errorf("%d of %d bytes were taken for a record", n, len(raw))
		}
	}
	rest := rawWaited(9, 2, 40)
	binary.NativeEndian.PutUint32(rest, uint32(bpf.CPURecordKindRECORD_UNWALKED_TOTAL))
	for _, c := range []struct {
		raw  []byte
		want waitedRecord
	}{
		{raw, waitedRecord{serial: 9, count: 2, time: 40}},
		{rest, waitedRecord{rest: true, serial: 9, count: 2, time: 40}},
	} {
		if got, err := parseWaited(c.raw); err != nil || got != c.want {
			t.Errorf("got %+v, %v, want %+v", got, err, c.want)
		}
	}
}
