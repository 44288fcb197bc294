package capture

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unsafe"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/capture/bpf"
)

// label is one that a goroutine has from runtime/pprof.Do or SetGoroutineLabels, or that of a thread.
type label struct {
	key, value string
	number     int64 // of a label that has one instead of a value
}

// labelSets keeps what came before the sample to which it belongs. Equal sets are one, for a target can
// make ever new ones.
type labelSets struct {
	pending map[uint32]string // by thread
	known   map[string][]label
}

// maxLabelSets bounds the distinct sets; samples with others have none.
const maxLabelSets = 1 << 14

// kindOf tells what a record in the ring buffer is.
func kindOf(raw []byte) bpf.CPURecordKind {
	if len(raw) < 4 {
		return bpf.CPURecordKindRECORD_SAMPLE // which is refused for its size
	}
	return bpf.CPURecordKind(binary.NativeEndian.Uint32(raw))
}

// keep reads struct label_record of bpf/go.h.
func (l *labelSets) keep(raw []byte) error {
	const header, each = unsafe.Offsetof(bpf.CPULabelRecord{}.Label), unsafe.Sizeof(bpf.CPULabelRecord{}.Label[0])
	var layout bpf.CPULabelRecord
	if len(raw) < int(header) {
		return fmt.Errorf("labels of %d bytes, their header has %d", len(raw), header)
	}
	order := binary.NativeEndian
	count := order.Uint32(raw[unsafe.Offsetof(layout.Count):])
	if count > uint32(len(layout.Label)) || len(raw) < int(header)+int(count)*int(each) {
		return fmt.Errorf("labels of %d bytes are too short for %d", len(raw), count)
	}
	var all []label
	var key strings.Builder
	for i := range int(count) {
		one := raw[int(header)+i*int(each):][:each]
		k := text(one[unsafe.Offsetof(layout.Label[0].Key):][:len(layout.Label[0].Key)], order.Uint32(one[unsafe.Offsetof(layout.Label[0].KeyBytes):]))
		v := text(one[unsafe.Offsetof(layout.Label[0].Value):][:len(layout.Label[0].Value)], order.Uint32(one[unsafe.Offsetof(layout.Label[0].ValueBytes):]))
		if k != "" {
			all = append(all, label{key: k, value: v})
			fmt.Fprintf(&key, "%q%q", k, v)
		}
	}
	if l.known == nil {
		l.known, l.pending = map[string][]label{}, map[uint32]string{}
	}
	if _, ok := l.known[key.String()]; !ok && len(l.known) < maxLabelSets {
		l.known[key.String()] = all
	}
	if len(l.pending) >= maxLabelSets {
		clear(l.pending)
	}
	l.pending[order.Uint32(raw[unsafe.Offsetof(layout.Tid):])] = key.String()
	return nil
}

// of gives a sample's labels, and a text that is equal for equal ones.
func (l *labelSets) of(s *sample) (key string, all []label) {
	if !s.labelled {
		return "", nil
	}
	key = l.pending[s.tid]
	delete(l.pending, s.tid)
	return key, l.known[key]
}

// text is a string of the target of which only a beginning may be here; then it ends with an ellipsis.
func text(raw []byte, length uint32) string {
	if int64(length) <= int64(len(raw)) {
		return strings.ToValidUTF8(string(raw[:length]), "\uFFFD")
	}
	return strings.ToValidUTF8(string(raw), "\uFFFD") + "…"
}
