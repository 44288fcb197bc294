//go:build linux

package profiles

import (
	"context"
	"fmt"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/builder"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/run"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// Contention reads the profiles of waiting that Go programs keep of themselves if they were told to. Nothing is loaded,
// attached or stopped.
type Contention struct {
	run.Lifecycle
	programs *programs
	read     func(*golang.Runtime, context.Context) (*golang.BlockProfile, error)
	setting  meta.Key[string]
}

// NewMutex prepares a profile of where mutexes are held that others wait for, as runtime/pprof's
// "mutex". Its errors wrap ErrNoGo, proc.ErrNoContainer or golang.ErrNotCollected where one of
// these is the cause.
func NewMutex(o run.Options) (*Contention, error) {
	return newContention(o, (*golang.Runtime).MutexProfile, meta.MutexProfileFraction)
}

// NewBlock prepares a profile of where goroutines wait for each other, as runtime/pprof's "block".
// Its errors are as those of NewMutex.
func NewBlock(o run.Options) (*Contention, error) {
	return newContention(o, (*golang.Runtime).BlockProfile, meta.BlockProfileRate)
}

func newContention(o run.Options, read func(*golang.Runtime, context.Context) (*golang.BlockProfile, error), setting meta.Key[string]) (*Contention, error) {
	programs, err := openPrograms(o)
	if err != nil {
		return nil, err
	}
	k := &Contention{programs: programs, read: read, setting: setting}
	k.Processes.Store(int64(len(programs.all)))
	return k, nil
}

// Run reads the profiles, at once. It may be called once.
func (k *Contention) Run(ctx context.Context) (*builder.Result, error) {
	begin, err := k.Start()
	if err != nil {
		return nil, err
	}
	contentions := &profile.ValueType{Type: "contentions", Unit: "count"}
	b := builder.New(begin, 0, builder.Kind{
		Types:       []*profile.ValueType{contentions, {Type: "delay", Unit: "nanoseconds"}},
		DefaultType: "delay", PeriodType: contentions, Period: 1,
	})
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxFinalTime)
	defer cancel()
	ticksPerNano := golang.TicksPerSecond() / 1e9
	for _, p := range append([]*program(nil), k.programs.all...) {
		reading, err := k.read(p.Runtime, ctx)
		if err = p.checked(err); err != nil {
			k.programs.drop(p, err)
			continue
		}
		k.setting.Add(b.Profile, rateText(reading))
		for _, bucket := range reading.Records {
			s := b.NewSample(&stack.Entry{Generation: p.generation, User: record.NativeStack(p.BlockStack(bucket.PCs))})
			b.AppendValues(s, []int64{bucket.Count, int64(float64(bucket.Ticks) / ticksPerNano)})
			k.Kept.Add(1)
		}
	}
	if err := k.programs.none(); err != nil {
		return nil, err
	}
	k.programs.describe(b)
	result, err := b.Result()
	if err == nil {
		result.Instant = true
	}
	return result, err
}

func rateText(p *golang.BlockProfile) string {
	switch {
	case p.Unscaled:
		return "0, so these events are of an earlier time; only the sampled ones are counted, " +
			"because Go 1.18 and 1.19 do not store the earlier rate"
	case p.Rate == 0:
		return "0, so these events are of an earlier time"
	}
	return fmt.Sprint(p.Rate)
}

// Slice returns nil: the whole profile is read at once.
func (k *Contention) Slice() (*builder.Result, error) { return nil, nil }

// Close closes all files; the result's File must not be used after it.
func (k *Contention) Close() error { return k.programs.close() }
