//go:build linux

package capture

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
)

// waitedRecord is struct waited_record of bpf/sample.h.
type waitedRecord struct {
	rest   bool   // of waits whose stacks were not walked; serial is then that of their group
	serial uint64 // of the wait with the stack, or of the group
	count  uint32
	time   uint64 // ns
}

// parseWaited reads a record of the kind RECORD_WAIT_TOTAL or RECORD_UNWALKED_TOTAL.
func parseWaited(raw []byte) (waitedRecord, error) {
	var layout bpf.CPUWaitTotalRecord
	if len(raw) < int(unsafe.Sizeof(layout)) {
		return waitedRecord{}, fmt.Errorf("record of waits of %d bytes, it has %d", len(raw), unsafe.Sizeof(layout))
	}
	order := binary.NativeEndian
	return waitedRecord{
		rest:   kindOf(raw) == bpf.CPURecordKindRECORD_UNWALKED_TOTAL,
		serial: order.Uint64(raw[unsafe.Offsetof(layout.Serial):]),
		count:  order.Uint32(raw[unsafe.Offsetof(layout.Count):]),
		time:   order.Uint64(raw[unsafe.Offsetof(layout.Time):]),
	}, nil
}
