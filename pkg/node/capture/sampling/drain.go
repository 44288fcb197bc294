//go:build linux

package sampling

import (
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf/ringbuf"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
)

// drainEvery bounds how old a sample becomes in the ring buffer. A process whose mappings are to be read does not
// wait for it: its samples wake us. Each time costs as much as some ten samples. Slices, which are as frequent, read the
// ring buffer, too.
const drainEvery = time.Second

// gatherShare bounds the cost of reading the map of threads, which takes a tenth of a second for 30,000: to 1/gatherShare
// of the time.
const gatherShare = 5

// maxDrainTime bounds the time for samples that are left in the ring buffer at the end. Usually it takes milliseconds, but
// the target may have started thousands of processes, whose mappings are to be read. What is left then counts as lost.
const maxDrainTime = 3 * time.Second

// drain reads samples until stop is closed, and then what is left in the ring buffer. Interrupting the ring after stop is closed
// makes it return at once.
func (c *Sampler) drain(stop <-chan struct{}) (err error) {
	defer close(c.drained)
	var record ringbuf.Record
	var gatherAgain time.Time
	for stopping := false; !stopping && err == nil; {
		waitErr := c.ring.round(drainEvery, func() bool {
			select {
			case <-stop:
				stopping = true
			default:
			}
			gather := c.waits != nil
			select {
			case served := <-c.flushes:
				defer close(served)
				gather = false // the caller does
			default:
			}
			err = c.readSamples(&record, stopping)
			if began := time.Now(); err == nil && (stopping && c.waits != nil || gather && began.After(gatherAgain)) {
				c.mu.Lock()
				err = c.waits.Gather(stopping)
				c.mu.Unlock()
				gatherAgain = began.Add(gatherShare * time.Since(began))
			}
			return !stopping && err == nil
		})
		err = errors.Join(err, waitErr)
	}
	return err
}

// readSamples reads what is in the ring buffer.
func (c *Sampler) readSamples(record *ringbuf.Record, stopping bool) error {
	until := time.Now().Add(maxDrainTime)
	err := c.ring.read(record, func(raw []byte) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if stopping && time.Now().After(until) {
			c.stacks.Dropped++
		} else {
			c.keep(raw)
		}
	})
	if err != nil {
		return fmt.Errorf("read samples: %w", err)
	}
	return c.countLost()
}

// flush returns when the samples that are in the ring buffer have been read, or drain has returned.
func (c *Sampler) flush() error {
	served := make(chan struct{})
	select {
	case c.flushes <- served:
	case <-c.drained:
		return nil
	}
	if err := c.ring.interrupt(); err != nil {
		return err
	}
	select {
	case <-served:
	case <-c.drained:
	}
	return nil
}

// keep processes one record of the ring buffer.
func (c *Sampler) keep(raw []byte) {
	switch record.KindOf(raw) {
	case bpf.CPURecordKindRECORD_LABELS:
		_ = c.labels.Add(raw) // else the sample has none
		return
	case bpf.CPURecordKindRECORD_WAIT_TOTAL, bpf.CPURecordKindRECORD_UNWALKED_TOTAL:
		if c.waits == nil {
			return
		}
		r, err := record.ParseWaitTotal(raw)
		if err != nil {
			c.stacks.Dropped++
			return
		}
		c.waits.AddFinalTotal(r)
		return
	}
	s, err := record.ParseSample(raw)
	if err != nil {
		c.stacks.Dropped++
		return
	}
	if c.waits != nil {
		c.waits.Complete(&s)
	}
	c.keepSample(&s)
}

// keepSample counts a sample under its stack. The stack of a wait is only registered; the time waited arrives separately.
func (c *Sampler) keepSample(s *record.Sample) {
	generation, wanted := c.table.Lookup(s)
	var e *stack.Entry
	if wanted {
		user, end := c.checker.Check(generation, s)
		group, labels := c.labels.Match(s)
		if c.options.ByThread {
			group, labels = addThread(s, group, labels)
		}
		if c.plan.states {
			group, labels = addState(s, group, labels)
		}
		e = c.stacks.FindOrAdd(generation, s.Kernel, user, end, group, labels)
	}
	if s.Serial != 0 && c.waits != nil {
		c.waits.AddStack(s, e, wanted)
	} else if e != nil {
		c.stacks.Add(e, c.plan.weigh(s), s.Time)
		c.Kept.Add(1)
	}
	if e != nil && !generation.Sampled {
		generation.Sampled = true
		c.Processes.Add(1)
	}
}

func (c *Sampler) countLost() error {
	var perCPU []uint64
	if err := c.maps.Lost.Lookup(uint32(0), &perCPU); err != nil {
		return fmt.Errorf("count lost samples: %w", err)
	}
	total := c.stacks.Dropped
	for _, n := range perCPU {
		total += n
	}
	c.Lost.Store(total)
	return nil
}
