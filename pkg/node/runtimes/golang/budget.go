//go:build linux

package golang

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// ErrBudget is returned when reading a process takes more time or bytes than any real program needs.
var ErrBudget = errors.New("reading the program's memory takes too long")

// Bounds on reading one profile or all goroutines of a process once. 100,000 goroutines take some
// 200 ms and 200 MB.
const (
	maxReadTime  = 10 * time.Second
	maxReadBytes = 8 << 30
	// maxSingleRead bounds reads outside of those, which are of single variables.
	maxSingleRead = 1 << 20
)

// limitedMemory is the memory of a process, with a budget that all reads share.
type limitedMemory struct {
	Memory
	ctx   context.Context // nil outside of begin
	until time.Time
	left  int
}

// begin starts a budget for one profile and returns a function that ends it.
func (m *limitedMemory) begin(ctx context.Context) (end func()) {
	before := *m
	m.ctx, m.until, m.left = ctx, time.Now().Add(maxReadTime), maxReadBytes
	return func() { m.ctx, m.until, m.left = before.ctx, before.until, before.left }
}

// Read fills all parts unless the budget is used up.
func (m *limitedMemory) Read(parts ...proc.MemoryPart) error {
	if err := m.spend(parts); err != nil {
		return err
	}
	return m.Memory.Read(parts...)
}

// spend takes the size of the parts off the budget.
func (m *limitedMemory) spend(parts []proc.MemoryPart) error {
	total := 0
	for _, p := range parts {
		total += len(p.Bytes)
	}
	if m.ctx == nil {
		if total > maxSingleRead {
			return fmt.Errorf("%w: %d bytes at once", ErrBudget, total)
		}
		return nil
	}
	if err := m.check(); err != nil {
		return err
	}
	if m.left -= total; m.left < 0 {
		return fmt.Errorf("%w: more than %d GiB", ErrBudget, maxReadBytes>>30)
	}
	return nil
}

// check returns an error if there is no time left. Loops that do not read memory call it.
func (m *limitedMemory) check() error {
	if m.ctx == nil {
		return nil
	}
	if err := m.ctx.Err(); err != nil {
		return fmt.Errorf("%w: stopped: %w", ErrBudget, err)
	}
	if time.Now().After(m.until) {
		return fmt.Errorf("%w: more than %v", ErrBudget, maxReadTime)
	}
	return nil
}
