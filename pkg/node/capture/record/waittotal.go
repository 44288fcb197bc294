//go:build linux

package record

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
)

// WaitTotal is struct waited_record of bpf/sample.h.
type WaitTotal struct {
	Unwalked bool   // of waits whose stacks were not walked; serial is then that of their group
	Serial   uint64 // of the wait with the stack, or of the group
	Count    uint32
	Time     uint64 // ns
}

// ParseWaitTotal reads a record of the kind RECORD_WAIT_TOTAL or RECORD_UNWALKED_TOTAL.
func ParseWaitTotal(raw []byte) (WaitTotal, error) {
	var layout bpf.CPUWaitTotalRecord
	if len(raw) < int(unsafe.Sizeof(layout)) {
		return WaitTotal{}, fmt.Errorf("record of waits of %d bytes, it has %d", len(raw), unsafe.Sizeof(layout))
	}
	order := binary.NativeEndian
	return WaitTotal{
		Unwalked: KindOf(raw) == bpf.CPURecordKindRECORD_UNWALKED_TOTAL,
		Serial:   order.Uint64(raw[unsafe.Offsetof(layout.Serial):]),
		Count:    order.Uint32(raw[unsafe.Offsetof(layout.Count):]),
		Time:     order.Uint64(raw[unsafe.Offsetof(layout.Time):]),
	}, nil
}
