//go:build linux

package golang

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// ErrNotCollected is returned for a program that has not turned the profile on.
var ErrNotCollected = errors.New("the program does not collect it")

// BlockProfile is the runtime's block or mutex profile, read at one time.
type BlockProfile struct {
	Rate    int64 // as the program set it last; 0 if it turned the profile off again
	Records []BlockRecord
}

// BlockRecord holds the events at one stack, scaled by the runtime.
type BlockRecord struct {
	Count, Ticks int64 // Ticks is a time in ticks of the CPU's counter; see TicksPerSecond
	PCs          []uint64
}

// BlockProfile reads what runtime/pprof would write now as profile "block". The error wraps
// ErrNotCollected if the program does not collect it.
func (r *Runtime) BlockProfile() (*BlockProfile, error) {
	return r.blockProfile(blockBucket, "runtime.blockprofilerate", "runtime.SetBlockProfileRate")
}

// MutexProfile reads what runtime/pprof would write now as profile "mutex". The error wraps
// ErrNotCollected if the program does not collect it.
func (r *Runtime) MutexProfile() (*BlockProfile, error) {
	return r.blockProfile(mutexBucket, "runtime.mutexprofilerate", "runtime.SetMutexProfileFraction")
}

// blockRecordWords is the size of runtime.blockRecord in words: count, a float64, and cycles.
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
	for range maxReadings { // the runtime writes the two words of a record one after the other, some nanoseconds apart
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
			return nil, fmt.Errorf("a record of the profile has impossible counts: %w", ErrTorn)
		}
		if kind == blockBucket && count < 1 {
			count = 1 // as in blockProfileInternal, runtime/mprof.go
		}
		p.Records[i] = BlockRecord{int64(count), ticks, b.pcs}
	}
	return p, nil
}

// logicalStack is the first word of a stack that contains inlined calls (logicalStackSentinel,
// runtime/mprof.go, since Go 1.23).
const logicalStack = math.MaxUint64

// BlockStack returns the call addresses of a record's stack, leaf first.
func (r *Runtime) BlockStack(pcs []uint64) []uint64 {
	if len(pcs) > 0 && pcs[0] == logicalStack {
		pcs = pcs[1:]
	}
	return r.calls(pcs)
}
