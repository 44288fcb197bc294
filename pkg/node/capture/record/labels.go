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

// Label is a label of a goroutine (runtime/pprof.Do or SetGoroutineLabels) or of a thread.
type Label struct {
	Key, Value string
	Number     int64 // instead of Value if it is not 0
}

// LabelSets holds the labels of goroutines, which arrive before the samples they belong to. Equal
// sets are stored once.
type LabelSets struct {
	pending    map[uint32]string  // key into known, by thread
	known      map[string][]Label // by their encoded keys and values
	bytes      int                // memory used by known
	Incomplete uint64             // samples that lack some of their labels
	Lost       uint64             // samples whose labels were sent, but did not arrive
}

// Bounds on the memory that a target can make us use. Samples beyond them have no labels.
const (
	maxLabelBytes = 4 << 20
	maxPending    = 1 << 14
)

// KindOf returns the kind of a record in the ring buffer.
func KindOf(raw []byte) bpf.CPURecordKind {
	if len(raw) < 4 {
		return bpf.CPURecordKindRECORD_SAMPLE // ParseSample refuses it because of its size
	}
	return bpf.CPURecordKind(binary.NativeEndian.Uint32(raw))
}

// Add decodes struct label_record of bpf/go.h and keeps its labels for the next sample of the
// thread.
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
			key, all = nil, nil
		}
		l.known[string(key)] = all
	}
	if len(l.pending) >= maxPending {
		clear(l.pending) // most were left by threads whose sample was lost; Match counts the others
	}
	l.pending[order.Uint32(raw[unsafe.Offsetof(layout.Tid):])] = string(key)
	return nil
}

// Match returns a sample's labels and a key that is equal for equal labels.
func (l *LabelSets) Match(s *Sample) (key string, all []Label) {
	if s.Labels == bpf.CPULabelStateLABELS_NONE {
		return "", nil
	}
	key, ok := l.pending[s.TID]
	delete(l.pending, s.TID)
	if !ok || s.Labels == bpf.CPULabelStateLABELS_LOST {
		l.Lost++
		return "", nil // what is pending is of an earlier sample
	}
	return key, l.known[key]
}

// text returns a string of the target. room holds its first bytes, and length is the length of the
// whole string; a string that is cut ends with an ellipsis. If address is not 0, the BPF program
// could not read the string, because its page was not in memory: text reads it from the process,
// and returns an ellipsis and false if that fails.
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
	for range utf8.UTFMax - 1 { // the cut may be within a character
		if r, size := utf8.DecodeLastRune(room); r != utf8.RuneError || size != 1 {
			break
		}
		room = room[:len(room)-1]
	}
	return strings.ToValidUTF8(string(room), "\uFFFD") + "…", true
}
