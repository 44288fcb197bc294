//go:build linux

package golang

import (
	"context"
	"encoding/binary"
	"errors"
	"runtime/metrics"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// forgedMemory has a valid bucket at every address: each points to another one, without end.
type forgedMemory struct {
	Memory
	depth uint64
	reads int
}

const forgedStart = 1 << 40

func (m *forgedMemory) Read(parts ...proc.MemoryPart) error {
	if parts[0].Address < forgedStart {
		return m.Memory.Read(parts...)
	}
	m.reads++
	for _, p := range parts {
		m.fill(p)
	}
	return nil
}

// fill writes buckets with m.depth frames, one after the other.
func (m *forgedMemory) fill(p proc.MemoryPart) {
	size := bucketHeader + 8*m.depth + 128
	for i := 0; i+8 <= len(p.Bytes); i += 8 {
		at := p.Address + uint64(i) - forgedStart
		number, offset := at/size, at%size
		word := uint64(0)
		switch {
		case offset == bucketAllnext:
			word = forgedStart + (number+1)*size
		case offset == bucketTyp:
			word = uint64(memBucket)
		case offset == bucketHash:
			word = stackHash(m.pcs(number), 16)
		case offset == bucketSize:
			word = 16
		case offset == bucketNstk:
			word = m.depth
		case offset >= bucketHeader && offset < bucketHeader+8*m.depth:
			word = number<<10 | (offset-bucketHeader)/8
		}
		binary.LittleEndian.PutUint64(p.Bytes[i:], word)
	}
}

func (m *forgedMemory) pcs(number uint64) []uint64 {
	pcs := make([]uint64, m.depth)
	for i := range pcs {
		pcs[i] = number<<10 | uint64(i)
	}
	return pcs
}

func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// A list of buckets without end is an error before it takes much memory, with many small stacks as well as with deep ones.
func TestForgedBucketsAreBounded(t *testing.T) {
	for name, depth := range map[string]uint64{"small stacks": 1, "deep stacks": 128} {
		t.Run(name, func(t *testing.T) {
			r, err := readImage(t, arm64Image).open()
			if err != nil {
				t.Fatal(err)
			}
			head, err := r.variable("runtime.mbuckets")
			if err != nil {
				t.Fatal(err)
			}
			m := &forgedMemory{Memory: r.memory.Memory, depth: depth}
			r.memory.Memory = redirected{m, head}
			defer r.memory.begin(t.Context())()
			if _, err := r.buckets(memBucket); !errors.Is(err, ErrTorn) && !errors.Is(err, ErrBudget) {
				t.Errorf("got %v, want ErrTorn or, on a busy machine, ErrBudget", err)
			}
			if kept := len(r.lists[memBucket]); kept != 0 {
				t.Errorf("%d forged buckets are kept", kept)
			}
			if m.reads > maxBuckets+1000 {
				t.Errorf("%d reads", m.reads)
			}
		})
	}
}

// redirected is memory in which the word at head points to the first forged bucket.
type redirected struct {
	*forgedMemory
	head uint64
}

func (m redirected) Read(parts ...proc.MemoryPart) error {
	if len(parts) == 1 && parts[0].Address == m.head {
		binary.LittleEndian.PutUint64(parts[0].Bytes, forgedStart)
		return nil
	}
	return m.forgedMemory.Read(parts...)
}

// Records are read piece by piece, so that the memory for their bytes does not depend on their number.
func TestReadingRecordsAllocatesLittle(t *testing.T) {
	r := &Runtime{memory: &limitedMemory{Memory: &forgedMemory{depth: 1}}}
	defer r.memory.begin(t.Context())()
	buckets := make([]bucket, maxBuckets)
	for i := range buckets {
		buckets[i].record = forgedStart
	}
	before, visited := allocated(), 0
	if err := r.readRecords(buckets, 16, func(i int, numbers []uint64) {
		if i != visited || len(numbers) != 16 {
			t.Fatalf("visited %d with %d words after %d", i, len(numbers), visited)
		}
		visited++
	}); err != nil || visited != len(buckets) {
		t.Fatalf("visited %d of %d: %v", visited, len(buckets), err)
	}
	if n := allocated() - before; n > 16<<20 {
		t.Errorf("reading %d records allocated %d MiB", len(buckets), n>>20)
	}
}

func TestBudget(t *testing.T) {
	part := proc.MemoryPart{Address: forgedStart, Bytes: make([]byte, 2<<20)}
	m := &limitedMemory{Memory: &forgedMemory{depth: 1}}
	if err := m.Read(part); !errors.Is(err, ErrBudget) {
		t.Errorf("2 MiB outside of a budget: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	end := m.begin(ctx)
	if err := m.Read(part); err != nil {
		t.Errorf("2 MiB of a budget: %v", err)
	}
	m.left = 1 << 20
	if err := m.Read(part); !errors.Is(err, ErrBudget) {
		t.Errorf("more than is left: %v", err)
	}
	m.left = maxReadBytes
	cancel()
	if err := m.Read(part); !errors.Is(err, ErrBudget) || !errors.Is(err, context.Canceled) {
		t.Errorf("after the context is done: %v", err)
	}
	end()
	if err := m.Read(proc.MemoryPart{Address: forgedStart, Bytes: make([]byte, 8)}); err != nil {
		t.Errorf("a variable after the end of the budget: %v", err)
	}
}

// A list that leads to goroutines hardly ever is given up, instead of being read entry by entry.
func TestListsOfInvalidGoroutinesAreGivenUp(t *testing.T) {
	gs, m := fake(t, 26)
	const entries = 1 << 16
	m.words(fakeLength, entries)
	list := make([]byte, 8*entries)
	for i := range entries {
		binary.LittleEndian.PutUint64(list[8*i:], fakeStack) // zeros, and no goroutine
	}
	binary.LittleEndian.PutUint64(list, fakeG)
	m[fakeList] = list
	binary.LittleEndian.PutUint32(m[fakeStack][gs.layout.atomicstatus:], 77)
	before := allocated()
	err := gs.Each(t.Context(), nil, func(*Goroutine) {})
	if !errors.Is(err, ErrTorn) || gs.Bad > maxBad+1 {
		t.Errorf("%d entries were read: %v", gs.Bad, err)
	}
	if n := allocated() - before; n > 16<<20 {
		t.Errorf("%d MiB were allocated", n>>20)
	}
}

func TestReadingGoroutinesEndsWithItsContext(t *testing.T) {
	gs, _ := fake(t, 26)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := gs.Each(ctx, nil, func(*Goroutine) {}); !errors.Is(err, ErrBudget) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
