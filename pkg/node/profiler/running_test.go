//go:build linux

package profiler

import (
	"context"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// panicking is a sampler whose Run panics. Its Slice must not be called afterwards.
type panicking struct {
	capture.Sampler
	t *testing.T
}

func (panicking) Run(context.Context) (*capture.Result, error) { panic("malformed") }

func (p panicking) Slice() (*capture.Result, error) {
	p.t.Error("a slice is read from a sampler that may be closed")
	return nil, nil
}

// The sampler is closed after a panic, while a client may still ask for slices.
func TestNoSlicesAfterAPanic(t *testing.T) {
	r := &running{sampler: panicking{t: t}, steps: new(api.Steps)}
	func() {
		defer func() { recover() }()
		r.Run(t.Context())
	}()
	if x, err := r.Slice(); x != nil || err != nil {
		t.Errorf("got %v, %v", x, err)
	}
}
