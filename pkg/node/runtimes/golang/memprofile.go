//go:build linux

package golang

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// ErrMemProfileOff is given for a program that does not sample its allocations. Mostly the linker has turned that off
// because nothing in the program can write a memory profile.
var ErrMemProfileOff = errors.New("the program does not sample its allocations (runtime.MemProfileRate is 0)")

// MemProfile is a reading of the memory profile that the runtime keeps.
type MemProfile struct {
	Rate    int64 // runtime.MemProfileRate: bytes allocated between two samples
	Records []MemRecord
	Torn    int // records that changed whenever they were read
}

// MemRecord is what was sampled with one stack and size, not scaled.
type MemRecord struct {
	MemCounts
	ID  uint64   // the same in all readings of a process
	PCs []uint64 // return addresses, leaf first; see MemStack
}

// MemCounts is runtime.memRecordCycle.
type MemCounts struct{ Allocs, Frees, AllocBytes, FreeBytes int64 }

func (a MemCounts) plus(b MemCounts) MemCounts {
	return MemCounts{a.Allocs + b.Allocs, a.Frees + b.Frees, a.AllocBytes + b.AllocBytes, a.FreeBytes + b.FreeBytes}
}

// Minus is what came since an earlier reading.
func (a MemCounts) Minus(b MemCounts) MemCounts {
	return MemCounts{a.Allocs - b.Allocs, a.Frees - b.Frees, a.AllocBytes - b.AllocBytes, a.FreeBytes - b.FreeBytes}
}

// memRecord is runtime.memRecord: active, what is known of the state at the last garbage collection but one or two, and
// future, what came since, by the number of the collection modulo 3.
type memRecord struct {
	active MemCounts
	future [3]MemCounts
}

const memRecordWords = 16

func (m memRecord) all() MemCounts {
	return m.active.plus(m.future[0]).plus(m.future[1]).plus(m.future[2])
}

// memSnapshot are all records at one moment, or nearly so.
type memSnapshot struct {
	cycle   uint32
	records []memRecord
}

// published is what runtime.memProfileInternal gives: active, to which future of this cycle is added as soon as a
// collection has ended. Whether the runtime has done that already makes no difference to the sum.
func (s *memSnapshot) published(i int) MemCounts {
	return s.records[i].active.plus(s.records[i].future[s.cycle%3])
}

// maxReadings bounds how often records are read that change meanwhile. The runtime moves numbers from future to active
// after each garbage collection, and for some microseconds or milliseconds.
const maxReadings = 20

// MemProfile reads what runtime/pprof would write as profile "heap" at this moment, not scaled yet: the state at
// a recent garbage collection, so that what is allocated and what is freed agree. The error wraps
// ErrMemProfileOff if nothing is sampled.
func (r *Runtime) MemProfile() (*MemProfile, error) {
	return r.memProfile(func(before, now *memSnapshot) ([]MemCounts, int) {
		counts, torn, none := make([]MemCounts, len(now.records)), 0, true
		for i := range counts {
			counts[i] = now.published(i)
			if before.cycle != now.cycle || counts[i] != before.published(i) {
				torn++
			}
			none = none && counts[i].Allocs == 0 && counts[i].Frees == 0
		}
		if none { // before the first collection the runtime takes what there is
			return totals(before, now)
		}
		return counts, torn
	})
}

// MemTotals reads all that was sampled up to now. What is freed lags behind, so it says nothing of what is live.
func (r *Runtime) MemTotals() (*MemProfile, error) { return r.memProfile(totals) }

func totals(before, now *memSnapshot) ([]MemCounts, int) {
	counts, torn := make([]MemCounts, len(now.records)), 0
	for i := range counts {
		counts[i] = now.records[i].all()
		if was := before.records[i]; was.active != now.records[i].active || was.all().Allocs > counts[i].Allocs {
			torn++ // numbers are just being moved from future to active
		}
	}
	return counts, torn
}

// memProfile reads until two readings in a row agree; judge tells what the numbers are and how many do not.
func (r *Runtime) memProfile(judge func(before, now *memSnapshot) ([]MemCounts, int)) (*MemProfile, error) {
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
	p := &MemProfile{Rate: rate, Records: make([]MemRecord, len(buckets))}
	before, err := r.memSnapshot(buckets)
	if err != nil {
		return nil, err
	}
	var counts []MemCounts
	for range maxReadings {
		now, err := r.memSnapshot(buckets)
		if err != nil {
			return nil, err
		}
		if counts, p.Torn = judge(before, now); p.Torn == 0 {
			break
		}
		before = now
	}
	for i, b := range buckets {
		if c := counts[i]; c.Allocs < 0 || c.AllocBytes < 0 || c.Frees < 0 || c.FreeBytes < 0 {
			return nil, fmt.Errorf("a record of the memory profile has negative numbers: %w", ErrTorn)
		}
		p.Records[i] = MemRecord{counts[i], b.address, b.pcs}
	}
	return p, nil
}

// memSnapshot reads all records within one cycle.
func (r *Runtime) memSnapshot(buckets []bucket) (*memSnapshot, error) {
	for range maxReadings {
		cycle, err := r.memCycle()
		if err != nil {
			return nil, err
		}
		numbers, err := r.readRecords(buckets, memRecordWords)
		if err != nil {
			return nil, err
		}
		if after, err := r.memCycle(); err != nil {
			return nil, err
		} else if after != cycle {
			continue
		}
		s := &memSnapshot{cycle, make([]memRecord, len(buckets))}
		for i := range s.records {
			n := numbers[i*memRecordWords:]
			counts := func(at int) MemCounts {
				return MemCounts{int64(n[at]), int64(n[at+1]), int64(n[at+2]), int64(n[at+3])}
			}
			s.records[i] = memRecord{counts(0), [3]MemCounts{counts(4), counts(8), counts(12)}}
		}
		return s, nil
	}
	return nil, fmt.Errorf("a garbage collection ended in each of %d readings: %w", maxReadings, ErrTorn)
}

// memCycle is the number of the current cycle; the lowest bit of the word is a flag (mProfCycleHolder).
func (r *Runtime) memCycle() (uint32, error) {
	address, err := r.variable("runtime.mProfCycle")
	if err != nil {
		return 0, err
	}
	var b [4]byte
	err = r.read(address, b[:])
	return binary.LittleEndian.Uint32(b[:]) >> 1, err
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

// MemStack gives the addresses of a record's calls, leaf first, from the first one on that is not the runtime's:
// what runtime/pprof shows (writeHeapProto, runtime/pprof/protomem.go).
func (r *Runtime) MemStack(pcs []uint64) []uint64 {
	for i, pc := range pcs {
		name := r.nameAt(pc) // as runtime.FuncForPC: at the return address itself
		if !strings.HasPrefix(name, "runtime.") && (r.minor < 24 || !strings.HasPrefix(name, "internal/runtime/")) {
			pcs = pcs[i:]
			break
		}
	}
	return r.calls(pcs)
}
