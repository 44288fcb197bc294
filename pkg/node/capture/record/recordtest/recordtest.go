//go:build linux

package recordtest

import (
	"encoding/binary"
	"slices"
	"unsafe"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
)

// Sample encodes struct sample of bpf/sample.h.
func Sample(kernel, user []uint64, end bpf.CPUWalkEnd) []byte {
	var s bpf.CPUSample
	raw := make([]byte, unsafe.Offsetof(s.Stack))
	order := binary.NativeEndian
	order.PutUint32(raw[unsafe.Offsetof(s.Process)+unsafe.Offsetof(s.Process.Tgid):], 70)
	order.PutUint32(raw[unsafe.Offsetof(s.Tid):], 71)
	order.PutUint32(raw[unsafe.Offsetof(s.Pid):], 7)
	order.PutUint16(raw[unsafe.Offsetof(s.KernelFrames):], uint16(len(kernel)))
	order.PutUint16(raw[unsafe.Offsetof(s.UserWords):], uint16(len(user)))
	order.PutUint16(raw[unsafe.Offsetof(s.End):], uint16(end))
	copy(raw[unsafe.Offsetof(s.Comm):], "web\x00old")
	for _, a := range append(slices.Clone(kernel), user...) {
		raw = order.AppendUint64(raw, a)
	}
	return raw
}

// WaitTotal encodes struct wait_total_record of bpf/sample.h, with the kind RECORD_WAIT_TOTAL.
func WaitTotal(serial uint64, count uint32, ns uint64) []byte {
	var r bpf.CPUWaitTotalRecord
	raw := make([]byte, unsafe.Sizeof(r))
	order := binary.NativeEndian
	order.PutUint32(raw[unsafe.Offsetof(r.Kind):], uint32(bpf.CPURecordKindRECORD_WAIT_TOTAL))
	order.PutUint32(raw[unsafe.Offsetof(r.Count):], count)
	order.PutUint64(raw[unsafe.Offsetof(r.Serial):], serial)
	order.PutUint64(raw[unsafe.Offsetof(r.Time):], ns)
	return raw
}

// Labels encodes struct label_record of bpf/go.h. pairs are keys and values in turn.
func Labels(tid uint32, pairs ...string) []byte {
	var layout bpf.CPULabelRecord
	order := binary.NativeEndian
	raw := make([]byte, unsafe.Offsetof(layout.Label)+uintptr(len(pairs)/2)*unsafe.Sizeof(layout.Label[0]))
	order.PutUint32(raw[unsafe.Offsetof(layout.Kind):], uint32(bpf.CPURecordKindRECORD_LABELS))
	order.PutUint32(raw[unsafe.Offsetof(layout.Tid):], tid)
	order.PutUint32(raw[unsafe.Offsetof(layout.Count):], uint32(len(pairs)/2))
	for i := 0; i < len(pairs); i += 2 {
		one := raw[unsafe.Offsetof(layout.Label)+uintptr(i/2)*unsafe.Sizeof(layout.Label[0]):]
		order.PutUint32(one[unsafe.Offsetof(layout.Label[0].KeyLength):], uint32(len(pairs[i])))
		order.PutUint32(one[unsafe.Offsetof(layout.Label[0].ValueLength):], uint32(len(pairs[i+1])))
		copy(one[unsafe.Offsetof(layout.Label[0].Key):][:len(layout.Label[0].Key)], pairs[i])
		copy(one[unsafe.Offsetof(layout.Label[0].Value):][:len(layout.Label[0].Value)], pairs[i+1])
	}
	return raw
}
