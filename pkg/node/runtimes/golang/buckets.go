//go:build linux

package golang

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// bucketKind is runtime.bucketType (runtime/mprof.go): the profile to which a bucket belongs.
type bucketKind uint64

const (
	memBucket bucketKind = 1 + iota
	blockBucket
	mutexBucket
)

// bucketLists names the variables that point to the newest bucket of each kind. Each bucket points
// to the one before it.
var bucketLists = map[bucketKind]string{
	memBucket: "runtime.mbuckets", blockBucket: "runtime.bbuckets", mutexBucket: "runtime.xbuckets",
}

// bucket is runtime.bucket: one stack of a profile. The runtime does not change its header or stack
// after it has linked it into the list, and never frees it.
type bucket struct {
	address uint64
	pcs     []uint64 // return addresses, leaf first
	size    uint64   // of each object, in bytes; 0 for a block or mutex bucket
	record  uint64   // address of the counts
}

// Offsets in runtime.bucket, the same in Go 1.18 to 1.27 with every GOEXPERIMENT. The header is
// followed by the stack and then by the record.
const (
	bucketAllnext = 8
	bucketTyp     = 16
	bucketHash    = 24
	bucketSize    = 32
	bucketNstk    = 40
	bucketHeader  = 48
)

// Bounds on the lists. maxDepth is maxProfStackDepth of runtime/mprof.go; the others are four times
// the numbers in the largest known programs, and limit the memory for a profile to some 60 MB.
const (
	maxDepth   = 1024
	maxBuckets = 100_000
	maxPCs     = 1 << 21 // of all stacks, 8 bytes each
)

// buckets returns all buckets of a kind, newest first. It reads only those that are newer than the
// last call's.
func (r *Runtime) buckets(kind bucketKind) ([]bucket, error) {
	head, err := r.variable(bucketLists[kind])
	if err != nil {
		return nil, err
	}
	at, err := r.pointer(head)
	if err != nil {
		return nil, err
	}
	known := r.lists[kind]
	var all []bucket
	pcs, w := 0, window{r: r}
	for _, b := range known {
		pcs += len(b.pcs)
	}
	for at != 0 && (len(known) == 0 || at != known[0].address) {
		if len(all)+len(known) >= maxBuckets || pcs > maxPCs {
			return nil, fmt.Errorf("%s has more than %d stacks or %d frames: %w", bucketLists[kind], maxBuckets, maxPCs, ErrTorn)
		}
		b, next, err := w.readBucket(at, kind)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", bucketLists[kind], err)
		}
		all = append(all, b)
		pcs += len(b.pcs)
		at = next
		// Comparing with the bucket at the last power of two finds a cycle within three rounds (Brent).
		if last := 1<<(bits.Len(uint(len(all)))-1) - 1; at == all[last].address {
			return nil, fmt.Errorf("%s is a cycle: %w", bucketLists[kind], ErrTorn)
		}
	}
	if at == 0 && len(known) > 0 {
		return nil, fmt.Errorf("%s no longer contains known stacks: %w", bucketLists[kind], ErrTorn)
	}
	r.lists[kind] = append(all, known...)
	return r.lists[kind], nil
}

// window reads memory in blocks and keeps the last one, because buckets lie close to each other.
type window struct {
	r     *Runtime
	start uint64
	data  []byte
}

// windowSize divides the size of the chunks in which the runtime allocates buckets
// (persistentChunkSize, 256 KiB).
const windowSize = 16 << 10

// read returns n bytes at an address. They are valid until the next call.
func (w *window) read(address uint64, n int) ([]byte, error) {
	if address < w.start || address-w.start+uint64(n) > uint64(len(w.data)) {
		start := address &^ (windowSize - 1)
		if w.data == nil {
			w.data = make([]byte, windowSize)
		}
		w.start = start
		if address-start+uint64(n) > windowSize || w.r.read(start, w.data) != nil {
			w.data = nil
			b := make([]byte, n)
			return b, w.r.read(address, b)
		}
	}
	return w.data[address-w.start:][:n], nil
}

// readBucket reads a bucket and the address of the next one. The hash in its header must match its
// stack and size.
func (w *window) readBucket(at uint64, kind bucketKind) (b bucket, next uint64, err error) {
	raw, err := w.read(at, bucketHeader)
	if err != nil {
		return b, 0, err
	}
	word := binary.LittleEndian.Uint64
	next = word(raw[bucketAllnext:])
	typ, hash, size, depth := word(raw[bucketTyp:]), word(raw[bucketHash:]), word(raw[bucketSize:]), word(raw[bucketNstk:])
	if bucketKind(typ) != kind || depth > maxDepth || next != 0 && !isPointer(next) {
		return b, 0, fmt.Errorf("invalid bucket at %#x: %w", at, ErrTorn)
	}
	if raw, err = w.read(at+bucketHeader, int(depth)*8); err != nil {
		return b, 0, err
	}
	b = bucket{address: at, pcs: make([]uint64, depth), size: size, record: at + bucketHeader + depth*8}
	for i := range b.pcs {
		b.pcs[i] = word(raw[i*8:])
	}
	if stackHash(b.pcs, size) != hash {
		return b, 0, fmt.Errorf("invalid bucket at %#x, its hash is wrong: %w", at, ErrTorn)
	}
	return b, next, nil
}

// stackHash computes the hash that runtime.stkbucket stores, the same in Go 1.18 to 1.27.
func stackHash(pcs []uint64, size uint64) (h uint64) {
	mix := func(v uint64) {
		h += v
		h += h << 10
		h ^= h >> 6
	}
	for _, pc := range pcs {
		mix(pc)
	}
	mix(size)
	h += h << 3
	h ^= h >> 11
	return h
}

// recordsPerRead bounds the memory for the bytes of records, which are at most 128 each.
const recordsPerRead = 1024

// readRecords reads the records of all buckets, each of the given number of words, and calls visit
// with the index of each bucket and its words, which are valid until visit returns.
func (r *Runtime) readRecords(buckets []bucket, words int, visit func(i int, numbers []uint64)) error {
	n := min(len(buckets), recordsPerRead)
	raw, numbers := make([]byte, n*words*8), make([]uint64, words)
	parts := make([]proc.MemoryPart, 0, n)
	for first := 0; first < len(buckets); first += len(parts) {
		parts = parts[:0]
		for i, b := range buckets[first:min(first+n, len(buckets))] {
			parts = append(parts, proc.MemoryPart{Address: b.record, Bytes: raw[i*words*8:][:words*8]})
		}
		if err := r.memory.Read(parts...); err != nil {
			return err
		}
		for i, p := range parts {
			for j := range numbers {
				numbers[j] = binary.LittleEndian.Uint64(p.Bytes[j*8:])
			}
			visit(first+i, numbers)
		}
	}
	return nil
}
