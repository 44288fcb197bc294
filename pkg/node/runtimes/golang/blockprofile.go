//go:build linux

package golang

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// ErrNotCollected is given for a program that has not turned the profile on.
var ErrNotCollected = errors.New("the program does not collect it")

// BlockProfile is a reading of the runtime's profile of waiting, or of holding mutexes that others wait for.
type BlockProfile struct {
	Rate    int64 // as the program set it last; 0 if it has turned the profile off again
	Records []BlockRecord
}

// BlockRecord is what happened at one stack, scaled by the runtime.
type BlockRecord struct {
	Count, Ticks int64 // Ticks are those of the CPU's counter; see Ticks
	PCs          []uint64
}

// BlockProfile reads what runtime/pprof would write as profile "block"; it wraps ErrNotCollected.
func (r *Runtime) BlockProfile() (*BlockProfile, error) {
	return r.blockProfile(blockBucket, "runtime.blockprofilerate", "runtime.SetBlockProfileRate")
}

// MutexProfile reads what runtime/pprof would write as profile "mutex"; it wraps ErrNotCollected.
func (r *Runtime) MutexProfile() (*BlockProfile, error) {
	return r.blockProfile(mutexBucket, "runtime.mutexprofilerate", "runtime.SetMutexProfileFraction")
}

// blockRecordWords is the size of runtime.blockRecord: count, a float64, and cycles.
const blockRecordWords = 2

func (r *Runtime) blockProfile(kind bucketKind, rateName, setter string) (*BlockProfile, error) {
	address, err := r.variable(rateName)
	if err != nil {
		return nil, err
	}
	rate, err := r.word(address)
	if err != nil {
		return nil, err
	}
	buckets, err := r.buckets(kind)
	if err != nil {
		return nil, err
	}
	if rate == 0 && len(buckets) == 0 {
		return nil, fmt.Errorf("%w: it has to call %s, and can do so at any time", ErrNotCollected, setter)
	}
	numbers, err := r.readRecords(buckets, blockRecordWords)
	if err != nil {
		return nil, err
	}
	for range maxReadings { // both words of a record are written one after the other, within some nanoseconds
		again, err := r.readRecords(buckets, blockRecordWords)
		if err != nil {
			return nil, err
		}
		same := slices.Equal(numbers, again)
		numbers = again
		if same {
			break
		}
	}
	p := &BlockProfile{Rate: int64(rate), Records: make([]BlockRecord, len(buckets))}
	for i, b := range buckets {
		count, ticks := math.Float64frombits(numbers[2*i]), int64(numbers[2*i+1])
		if !(count >= 0 && count < math.MaxInt64) || ticks < 0 {
			return nil, fmt.Errorf("a record of the profile has impossible numbers: %w", ErrTorn)
		}
		if kind == blockBucket && count < 1 {
			count = 1 // as blockProfileInternal has it
		}
		p.Records[i] = BlockRecord{int64(count), ticks, b.pcs}
	}
	return p, nil
}

// logicalStack stands before the addresses of a stack that has those of inlined calls, from Go 1.23 on (runtime/mprof.go).
const logicalStack = math.MaxUint64

// BlockStack gives the addresses of a stack's calls, leaf first.
func (r *Runtime) BlockStack(pcs []uint64) []uint64 {
	if len(pcs) > 0 && pcs[0] == logicalStack {
		pcs = pcs[1:]
	}
	return r.calls(pcs)
}
