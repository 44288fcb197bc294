//go:build linux

package capture

import (
	"context"
	"fmt"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang"
)

// GoBlock reads the profiles of waiting that Go programs keep of themselves if they were told to. Nothing is loaded,
// attached or stopped.
type GoBlock struct {
	lifecycle
	programs *goPrograms
	read     func(*golang.Runtime) (*golang.BlockProfile, error)
	setting  string
}

// NewMutex prepares a profile of where mutexes are held that others wait for, as runtime/pprof's "mutex". Its errors wrap
// ErrNoGo, proc.ErrNoContainer or golang.ErrNotCollected where one of these is the cause.
func NewMutex(o Options) (*GoBlock, error) {
	return newGoBlock(o, (*golang.Runtime).MutexProfile, "mutex profile fraction")
}

// NewBlock prepares a profile of where goroutines wait for each other, as runtime/pprof's "block". Its errors are as those
// of NewMutex.
func NewBlock(o Options) (*GoBlock, error) {
	return newGoBlock(o, (*golang.Runtime).BlockProfile, "block profile rate")
}

func newGoBlock(o Options, read func(*golang.Runtime) (*golang.BlockProfile, error), setting string) (*GoBlock, error) {
	programs, err := openGoPrograms(o)
	if err != nil {
		return nil, err
	}
	k := &GoBlock{programs: programs, read: read, setting: setting}
	k.processes.Store(int64(len(programs.programs)))
	return k, nil
}

// Run reads the profiles, at once. It may be called once.
func (k *GoBlock) Run(context.Context) (*Result, error) {
	begin, err := k.start()
	if err != nil {
		return nil, err
	}
	contentions := &profile.ValueType{Type: "contentions", Unit: "count"}
	b := newProfileBuilder(begin, 0, kind{
		types:       []*profile.ValueType{contentions, {Type: "delay", Unit: "nanoseconds"}},
		defaultType: "delay", periodType: contentions, period: 1,
	})
	ticksPerNano := golang.TicksPerSecond() / 1e9
	for _, p := range append([]*goProgram(nil), k.programs.programs...) {
		reading, err := k.read(p.Runtime)
		if err = p.checked(err); err != nil {
			k.programs.drop(p, err)
			continue
		}
		b.comment("%s: %s", k.setting, rateText(reading.Rate))
		for _, record := range reading.Records {
			s := b.sample(&stackEntry{generation: p.generation, user: p.Stack(record.PCs)})
			s.Value = []int64{record.Count, int64(float64(record.Ticks) / ticksPerNano)}
			b.profile.Sample = append(b.profile.Sample, s)
			k.kept.Add(1)
		}
	}
	if err := k.programs.none(); err != nil {
		return nil, err
	}
	k.programs.describe(b)
	result, err := b.result()
	if err == nil {
		result.Instant = true
	}
	return result, err
}

func rateText(rate int64) string {
	if rate == 0 {
		return "0, so what is here is of an earlier time"
	}
	return fmt.Sprint(rate)
}

// Slice gives nothing: the whole profile comes at once.
func (k *GoBlock) Slice() (*Result, error) { return nil, nil }

// Close closes all files; the result's File must not be used after it.
func (k *GoBlock) Close() error { return k.programs.close() }
