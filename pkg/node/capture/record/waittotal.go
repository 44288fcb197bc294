//go:build linux

package record

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
)

// WaitTotal is struct wait_total_record of bpf/sample.h, decoded.
type WaitTotal struct {
	Unwalked bool   // the total of a group's waits whose stacks were not walked
	Serial   uint64 // of the walked stack; of the group if Unwalked is set
	Count    uint32
	Time     uint64 // ns
}

// ParseWaitTotal decodes a record of the kind RECORD_WAIT_TOTAL or RECORD_UNWALKED_TOTAL.
func ParseWaitTotal(raw []byte) (WaitTotal, error) {
	var layout bpf.CPUWaitTotalRecord
	if len(raw) < int(unsafe.Sizeof(layout)) {
		return WaitTotal{}, fmt.Errorf("total of waits of %d bytes is shorter than %d", len(raw), unsafe.Sizeof(layout))
	}
	order := binary.NativeEndian
	return WaitTotal{
		Unwalked: KindOf(raw) == bpf.CPURecordKindRECORD_UNWALKED_TOTAL,
		Serial:   order.Uint64(raw[unsafe.Offsetof(layout.Serial):]),
		Count:    order.Uint32(raw[unsafe.Offsetof(layout.Count):]),
		Time:     order.Uint64(raw[unsafe.Offsetof(layout.Time):]),
	}, nil
}
