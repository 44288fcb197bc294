//go:build linux

package record

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// Label is one that a goroutine has from runtime/pprof.Do or SetGoroutineLabels, or that of a thread.
type Label struct {
	Key, Value string
	Number     int64 // of a label that has one instead of a value
}

// LabelSets keeps what came before the sample to which it belongs. Equal sets are one, for a target can
// make ever new ones.
type LabelSets struct {
	pending    map[uint32]string // by thread
	known      map[string][]Label
	bytes      int    // of known
	Incomplete uint64 // samples that have more labels than they are given
}

// Bounds on what a target can make us keep; samples beyond have no labels.
const (
	maxLabelBytes = 4 << 20
	maxPending    = 1 << 14
)

// KindOf tells what a record in the ring buffer is.
func KindOf(raw []byte) bpf.CPURecordKind {
	if len(raw) < 4 {
		return bpf.CPURecordKindRECORD_SAMPLE // which is refused for its size
	}
	return bpf.CPURecordKind(binary.NativeEndian.Uint32(raw))
}

// Add reads struct label_record of bpf/go.h.
func (l *LabelSets) Add(raw []byte) error {
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
	pid := int(order.Uint32(raw[unsafe.Offsetof(layout.Pid):]))
	cut := order.Uint32(raw[unsafe.Offsetof(layout.Incomplete):]) != 0
	var all []Label
	var key []byte
	for i := range int(count) {
		one := raw[int(header)+i*int(each):][:each]
		k, ok := text(pid, order.Uint64(one[unsafe.Offsetof(layout.Label[0].KeyAddress):]),
			one[unsafe.Offsetof(layout.Label[0].Key):][:len(layout.Label[0].Key)], order.Uint32(one[unsafe.Offsetof(layout.Label[0].KeyLength):]))
		v, _ := text(pid, order.Uint64(one[unsafe.Offsetof(layout.Label[0].ValueAddress):]),
			one[unsafe.Offsetof(layout.Label[0].Value):][:len(layout.Label[0].Value)], order.Uint32(one[unsafe.Offsetof(layout.Label[0].ValueLength):]))
		if !ok {
			cut = true
		} else if k != "" {
			all = append(all, Label{Key: k, Value: v})
			for _, s := range []string{k, v} {
				key = append(binary.AppendUvarint(key, uint64(len(s))), s...)
			}
		}
	}
	if l.known == nil {
		l.known, l.pending = map[string][]Label{}, map[uint32]string{}
	}
	if cut {
		l.Incomplete++
	}
	if _, ok := l.known[string(key)]; !ok {
		if l.bytes += 2*len(key) + 64*len(all); l.bytes > maxLabelBytes {
			l.bytes -= 2*len(key) + 64*len(all)
			l.Incomplete++
			return nil
		}
		l.known[string(key)] = all
	}
	if len(l.pending) >= maxPending {
		clear(l.pending) // of threads that ended before their sample came
	}
	l.pending[order.Uint32(raw[unsafe.Offsetof(layout.Tid):])] = string(key)
	return nil
}

// Match gives a sample's labels, and a text that is equal for equal ones.
func (l *LabelSets) Match(s *Sample) (key string, all []Label) {
	if !s.HasLabels {
		return "", nil
	}
	key = l.pending[s.TID]
	delete(l.pending, s.TID)
	return key, l.known[key]
}

// text is a string of the target of which only a beginning may be in its room; then it ends with an ellipsis. One
// that has an address was not in the target's memory yet when the sample was taken: it is fetched, and is an
// ellipsis alone and not ok if it cannot be.
func text(pid int, address uint64, room []byte, length uint32) (s string, ok bool) {
	if address != 0 {
		room = make([]byte, min(len(room), int(length)))
		if pid == 0 || proc.ReadMemory(pid, address, room) != nil {
			return "…", false
		}
	}
	if int64(length) <= int64(len(room)) {
		return strings.ToValidUTF8(string(room[:length]), "\uFFFD"), true
	}
	for range utf8.UTFMax - 1 { // it may have been cut within a character
		if r, size := utf8.DecodeLastRune(room); r != utf8.RuneError || size != 1 {
			break
		}
		room = room[:len(room)-1]
	}
	return strings.ToValidUTF8(string(room), "\uFFFD") + "…", true
}
