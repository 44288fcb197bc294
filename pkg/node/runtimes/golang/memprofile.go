//go:build linux

package golang

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// ErrMemProfileOff is returned for a program that does not sample its allocations. Usually the
// linker has turned sampling off because nothing in the program can write a memory profile.
var ErrMemProfileOff = errors.New("the program does not sample its allocations (runtime.MemProfileRate is 0)")

// MemProfile is the memory profile kept by the runtime, read at one time.
type MemProfile struct {
	Rate    int64 // runtime.MemProfileRate: average bytes between two samples
	Records []MemRecord
	Torn    int // records that changed during every read
}

// MemRecord holds the samples with one stack and one object size, not scaled.
type MemRecord struct {
	MemCounts
	ID  uint64   // the same whenever the process is read
	PCs []uint64 // return addresses, leaf first; see MemStack
}

// MemCounts is runtime.memRecordCycle: numbers of objects and bytes.
type MemCounts struct{ Allocs, Frees, AllocBytes, FreeBytes int64 }

func (a MemCounts) plus(b MemCounts) MemCounts {
	return MemCounts{a.Allocs + b.Allocs, a.Frees + b.Frees, a.AllocBytes + b.AllocBytes, a.FreeBytes + b.FreeBytes}
}

// Minus returns the difference to an earlier reading b.
func (a MemCounts) Minus(b MemCounts) MemCounts {
	return MemCounts{a.Allocs - b.Allocs, a.Frees - b.Frees, a.AllocBytes - b.AllocBytes, a.FreeBytes - b.FreeBytes}
}

// memRecord is runtime.memRecord. active holds the published counts as of a recent garbage
// collection, future the later ones by GC cycle modulo 3 (runtime/mprof.go).
type memRecord struct {
	active MemCounts
	future [3]MemCounts
}

// cycleWords returns the size of runtime.memRecordCycle in words of 8 bytes. Since Go 1.27 it has no
// bytes, because all objects of a bucket have the same size.
func (r *Runtime) cycleWords() int {
	if r.minor >= 27 {
		return 2
	}
	return 4
}

// total returns all counts, published or not.
func (m memRecord) total() MemCounts {
	return m.active.plus(m.future[0]).plus(m.future[1]).plus(m.future[2])
}

// memSnapshot holds all records, read within one GC cycle.
type memSnapshot struct {
	cycle   uint32
	records []memRecord
}

// published returns the counts of a record as runtime.memProfileInternal reports them: active plus
// the future counts of this cycle, which the runtime moves to active after the garbage collection.
// The sum is the same before and after the move.
func (s *memSnapshot) published(i int) MemCounts {
	return s.records[i].active.plus(s.records[i].future[s.cycle%3])
}

// maxReadings bounds how often records that change while they are read are read again. The runtime
// moves counts from future to active after each garbage collection, which takes microseconds to
// milliseconds.
const maxReadings = 20

// MemProfile reads what runtime/pprof would write now as profile "heap", not scaled: the state at a
// recent garbage collection, at which allocations and frees are consistent. The error wraps
// ErrMemProfileOff if nothing is sampled.
func (r *Runtime) MemProfile(ctx context.Context) (*MemProfile, error) {
	return r.memProfile(ctx, func(before, now *memSnapshot) ([]MemCounts, int) {
		counts, torn, none := make([]MemCounts, len(now.records)), 0, true
		for i := range counts {
			counts[i] = now.published(i)
			if before.cycle != now.cycle || counts[i] != before.published(i) {
				torn++
			}
			none = none && counts[i].Allocs == 0 && counts[i].Frees == 0
		}
		if none { // before the first collection the runtime reports the unpublished counts, too
			return totals(before, now)
		}
		return counts, torn
	})
}

// MemTotals reads everything sampled up to now. Frees lag behind allocations, so live objects
// cannot be derived from it.
func (r *Runtime) MemTotals(ctx context.Context) (*MemProfile, error) {
	return r.memProfile(ctx, totals)
}

func totals(before, now *memSnapshot) ([]MemCounts, int) {
	counts, torn := make([]MemCounts, len(now.records)), 0
	for i := range counts {
		counts[i] = now.records[i].total()
		if was := before.records[i]; was.active != now.records[i].active || was.total().Allocs > counts[i].Allocs {
			torn++ // counts are being moved from future to active
		}
	}
	return counts, torn
}

// memProfile reads all records until two consecutive snapshots agree. compare returns the counts of
// the later snapshot and in how many records the two disagree.
func (r *Runtime) memProfile(ctx context.Context, compare func(before, now *memSnapshot) ([]MemCounts, int)) (*MemProfile, error) {
	defer r.memory.begin(ctx)()
	rate, err := r.memProfileRate()
	if err != nil {
		return nil, err
	}
	if rate == 0 {
		return nil, ErrMemProfileOff
	}
	buckets, err := r.buckets(memBucket)
	if err != nil {
		return nil, err
	}
	if r.IsNewer() {
		if err := checkRecordSize(buckets, 4*r.cycleWords()); err != nil {
			return nil, err
		}
	}
	p := &MemProfile{Rate: rate, Records: make([]MemRecord, len(buckets))}
	before, err := r.memSnapshot(buckets)
	if err != nil {
		return nil, err
	}
	var counts []MemCounts
	for range maxReadings {
		now, err := r.memSnapshot(buckets)
		if err != nil && counts != nil && errors.Is(err, ErrBudget) {
			break // what was read last is nearly right, and the profile says how much had changed
		}
		if err != nil {
			return nil, err
		}
		if counts, p.Torn = compare(before, now); p.Torn == 0 {
			break
		}
		before = now
	}
	for i, b := range buckets {
		if c := counts[i]; c.Allocs < 0 || c.AllocBytes < 0 || c.Frees < 0 || c.FreeBytes < 0 {
			return nil, fmt.Errorf("a record of the memory profile has negative counts: %w", ErrTorn)
		}
		p.Records[i] = MemRecord{counts[i], b.address, b.pcs}
	}
	return p, nil
}

// memSnapshot reads all records within one GC cycle.
func (r *Runtime) memSnapshot(buckets []bucket) (*memSnapshot, error) {
	for range maxReadings {
		cycle, err := r.memCycle()
		if err != nil {
			return nil, err
		}
		words := r.cycleWords()
		s := &memSnapshot{cycle, make([]memRecord, len(buckets))}
		if err := r.readRecords(buckets, 4*words, func(i int, numbers []uint64) {
			counts := func(cycle int) MemCounts {
				n := numbers[cycle*words:]
				if words == 2 {
					size := int64(buckets[i].size)
					return MemCounts{int64(n[0]), int64(n[1]), int64(n[0]) * size, int64(n[1]) * size}
				}
				return MemCounts{int64(n[0]), int64(n[1]), int64(n[2]), int64(n[3])}
			}
			s.records[i] = memRecord{counts(0), [3]MemCounts{counts(1), counts(2), counts(3)}}
		}); err != nil {
			return nil, err
		}
		if after, err := r.memCycle(); err != nil {
			return nil, err
		} else if after != cycle {
			continue
		}
		return s, nil
	}
	return nil, fmt.Errorf("a garbage collection ended during each of %d reads: %w", maxReadings, ErrTorn)
}

// memCycle reads the number of the current GC cycle. From Go 1.19 on the lowest bit of the word is a
// flag (mProfCycleHolder, runtime/mprof.go).
func (r *Runtime) memCycle() (uint32, error) {
	address, err := r.variable("runtime.mProfCycle")
	if err != nil {
		return 0, err
	}
	var b [4]byte
	err = r.read(address, b[:])
	cycle := binary.LittleEndian.Uint32(b[:])
	if r.minor > 18 {
		cycle >>= 1
	}
	return cycle, err
}

func (r *Runtime) memProfileRate() (int64, error) {
	address, err := r.variable("runtime.MemProfileRate")
	if err != nil {
		return 0, err
	}
	rate, err := r.word(address)
	if err == nil && rate > 1<<62 {
		err = fmt.Errorf("runtime.MemProfileRate is %d: %w", int64(rate), ErrTorn)
	}
	return int64(rate), err
}

// MemStack returns the call addresses of a record's stack, leaf first, without the leading
// functions of the runtime. runtime/pprof omits them as well (writeHeapProto,
// runtime/pprof/protomem.go).
func (r *Runtime) MemStack(pcs []uint64) []uint64 {
	for i, pc := range pcs {
		name := r.nameAt(pc) // as runtime.FuncForPC, at the return address itself
		if !strings.HasPrefix(name, "runtime.") && (r.minor < 24 || !strings.HasPrefix(name, "internal/runtime/")) {
			pcs = pcs[i:]
			break
		}
	}
	return r.calls(pcs)
}
