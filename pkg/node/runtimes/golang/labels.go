//go:build linux

package golang

import (
	"encoding/binary"
	"strings"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// Label is a label that a program set on a goroutine with runtime/pprof.Do or SetGoroutineLabels.
type Label struct{ Key, Value string }

// Bounds on the labels of one goroutine.
const (
	maxLabels     = 128
	maxLabelBytes = 1 << 10 // of a key or a value; longer ones are cut and end with an ellipsis
	maxLabelTotal = 8 << 10 // of all keys and values, which usually have 100 bytes; the rest is left out
)

// labelReader reads label sets. Goroutines inherit labels, so many share a set; the sets read are
// cached by address until forget is called, because the program may reuse the memory.
type labelReader struct{ cache map[uint64]labelSet }

type labelSet struct {
	all   []Label
	whole bool // all labels could be read completely
}

func (l *labelReader) forget() { clear(l.cache) }

// read returns the labels at the address in g.labels, and whether they are complete. The error is
// not nil if no memory of the process can be read.
func (l *labelReader) read(r *Runtime, address uint64) ([]Label, bool, error) {
	if address == 0 {
		return nil, true, nil
	}
	if set, ok := l.cache[address]; ok {
		return set.all, set.whole, nil
	}
	headers, whole := []labelHeader(nil), false
	if r.minor >= firstLabelList {
		headers, whole = r.labelList(address)
	} else {
		headers, whole = r.labelMap(address)
	}
	all, readable, err := r.labelTexts(headers)
	if err != nil {
		return nil, false, err
	}
	if l.cache == nil {
		l.cache = map[uint64]labelSet{}
	}
	l.cache[address] = labelSet{all, whole && readable}
	return all, whole && readable, nil
}

// labelHeader holds the string headers of a key and a value: address and length of each.
type labelHeader [4]uint64

// labelList reads the headers of a label set since Go 1.24, a slice (LabelSet,
// runtime/pprof/label.go). Labels that cannot be read are left out.
func (r *Runtime) labelList(address uint64) (all []labelHeader, whole bool) {
	const each = 32
	var head [16]byte
	if r.read(address, head[:]) != nil {
		return nil, false
	}
	n := binary.LittleEndian.Uint64(head[8:])
	raw := make([]byte, min(n, maxLabels)*each)
	if r.read(binary.LittleEndian.Uint64(head[:]), raw) != nil {
		return nil, false
	}
	for i := 0; i < len(raw); i += each {
		var h labelHeader
		for j := range h {
			h[j] = binary.LittleEndian.Uint64(raw[i+8*j:])
		}
		all = append(all, h)
	}
	return all, n <= maxLabels
}

// Offsets in runtime.hmap and runtime.bmap up to Go 1.23 (runtime/map.go), for keys and values of
// type string.
const (
	hmapBytes     = 48
	hmapFlags     = 8
	hmapB         = 9 // log2 of the number of buckets
	hmapBuckets   = 16
	hmapOld       = 24
	sameSizeGrow  = 8 // flag: there are as many old buckets as new ones
	bucketEntries = 8
	bucketKeys    = bucketEntries // after tophash, one byte per entry
	bucketValues  = bucketKeys + 16*bucketEntries
	bucketNext    = bucketValues + 16*bucketEntries
	bucketBytes   = bucketNext + 8
	minTopHash    = 5 // lower values mark entries that are empty or were moved to the new buckets
)

// labelMap reads the headers of a label set up to Go 1.23, a map. The program no longer writes to
// it, but it may be half way through growing: some entries are then still in the old buckets.
func (r *Runtime) labelMap(address uint64) (all []labelHeader, whole bool) {
	var head [hmapBytes]byte
	at, err := r.pointer(address)
	if err != nil || at != 0 && r.read(at, head[:]) != nil {
		return nil, false
	}
	count, b := binary.LittleEndian.Uint64(head[:]), head[hmapB]
	if count > maxLabels || b > 8 {
		return nil, false
	}
	all = r.labelBuckets(nil, binary.LittleEndian.Uint64(head[hmapBuckets:]), 1<<b)
	if b > 0 && head[hmapFlags]&sameSizeGrow == 0 {
		b--
	}
	all = r.labelBuckets(all, binary.LittleEndian.Uint64(head[hmapOld:]), 1<<b)
	return all, uint64(len(all)) == count
}

// labelBuckets appends the entries of n buckets and their overflow buckets.
func (r *Runtime) labelBuckets(all []labelHeader, first uint64, n int) []labelHeader {
	if first == 0 {
		return all
	}
	for i := range n {
		at := first + uint64(i*bucketBytes)
		for links := 0; at != 0 && links < maxLabels && len(all) < maxLabels; links++ {
			var raw [bucketBytes]byte
			if r.read(at, raw[:]) != nil {
				return all
			}
			for e := range bucketEntries {
				if raw[e] < minTopHash {
					continue
				}
				var h labelHeader
				for j := range 2 {
					h[j] = binary.LittleEndian.Uint64(raw[bucketKeys+16*e+8*j:])
					h[2+j] = binary.LittleEndian.Uint64(raw[bucketValues+16*e+8*j:])
				}
				all = append(all, h)
			}
			at = binary.LittleEndian.Uint64(raw[bucketNext:])
		}
	}
	return all
}

// labelTexts reads keys and values, and reports whether they are complete.
func (r *Runtime) labelTexts(headers []labelHeader) (all []Label, whole bool, err error) {
	var parts []proc.MemoryPart
	whole, total := true, uint64(0)
	for n, h := range headers {
		if total += min(h[1], maxLabelBytes) + min(h[3], maxLabelBytes); total > maxLabelTotal {
			headers, whole = headers[:n], false
			break
		}
		for i := 0; i < len(h); i += 2 {
			parts = append(parts, proc.MemoryPart{Address: h[i], Bytes: make([]byte, min(h[i+1], maxLabelBytes))})
		}
	}
	read, err := r.tryRead(parts)
	if err != nil {
		return nil, false, err
	}
	text := func(i int, length uint64) string {
		s := string(parts[i].Bytes)
		switch {
		case length > 0 && !read[i]:
			s, whole = "…", false
		case length > maxLabelBytes:
			s, whole = s+"…", false
		}
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	for i, h := range headers {
		if key, value := text(2*i, h[1]), text(2*i+1, h[3]); key != "" {
			all = append(all, Label{key, value})
		}
	}
	return all, whole, nil
}
