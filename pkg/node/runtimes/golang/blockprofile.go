//go:build linux

package golang

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
)

// ErrNotCollected is returned for a program that has not turned the profile on.
var ErrNotCollected = errors.New("the program does not collect it")

// BlockProfile is the runtime's block or mutex profile, read at one time.
type BlockProfile struct {
	Rate     int64 // as the program set it last; 0 if it turned the profile off again
	Unscaled bool  // the records hold only the sampled events, because the rate of sampling is lost
	Records  []BlockRecord
}

// BlockRecord holds the events at one stack, scaled up from those that were sampled.
type BlockRecord struct {
	Count, Ticks int64 // Ticks is a time in ticks of the CPU's counter; see TicksPerSecond
	PCs          []uint64
}

// BlockProfile reads what runtime/pprof would write now as profile "block". The error wraps
// ErrNotCollected if the program does not collect it.
func (r *Runtime) BlockProfile(ctx context.Context) (*BlockProfile, error) {
	return r.blockProfile(ctx, blockBucket, "runtime.blockprofilerate", "runtime.SetBlockProfileRate")
}

// MutexProfile reads what runtime/pprof would write now as profile "mutex". The error wraps
// ErrNotCollected if the program does not collect it.
func (r *Runtime) MutexProfile(ctx context.Context) (*BlockProfile, error) {
	return r.blockProfile(ctx, mutexBucket, "runtime.mutexprofilerate", "runtime.SetMutexProfileFraction")
}

// blockRecordWords is the size of runtime.blockRecord in words: count, a float64, and cycles.
const blockRecordWords = 2

func (r *Runtime) blockProfile(ctx context.Context, kind bucketKind, rateName, setter string) (*BlockProfile, error) {
	defer r.memory.begin(ctx)()
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
	if r.IsNewer() {
		if err := checkRecordSize(buckets, blockRecordWords); err != nil {
			return nil, err
		}
	}
	numbers, again := make([]uint64, blockRecordWords*len(buckets)), make([]uint64, blockRecordWords*len(buckets))
	read := func(into []uint64) error {
		return r.readRecords(buckets, blockRecordWords, func(i int, words []uint64) { copy(into[blockRecordWords*i:], words) })
	}
	if err := read(numbers); err != nil {
		return nil, err
	}
	for range maxReadings { // the runtime writes the two words of a record one after the other, some nanoseconds apart
		if err := read(again); err != nil {
			return nil, err
		}
		same := slices.Equal(numbers, again)
		numbers, again = again, numbers
		if same {
			break
		}
	}
	p := &BlockProfile{Rate: int64(rate), Records: make([]BlockRecord, len(buckets))}
	scale := 1.0
	if kind == mutexBucket && r.minor < 20 { // as scaleMutexProfile, runtime/pprof/pprof.go; later the runtime scales
		p.Unscaled = rate == 0 // runtime/pprof writes only zeros
		scale = float64(max(rate, 1))
	}
	for i, b := range buckets {
		count, ticks := math.Float64frombits(numbers[2*i]), int64(numbers[2*i+1])
		if !(count >= 0 && count*scale < math.MaxInt64) || ticks < 0 || float64(ticks)*scale >= math.MaxInt64 {
			return nil, fmt.Errorf("a record of the profile has impossible counts: %w", ErrTorn)
		}
		if kind == blockBucket && count < 1 {
			count = 1 // as in blockProfileInternal, runtime/mprof.go
		}
		p.Records[i] = BlockRecord{int64(count) * int64(scale), ticks * int64(scale), b.pcs}
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
