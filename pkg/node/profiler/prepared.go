//go:build linux

package profiler

import (
	"fmt"
	"sync"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// prepared holds samplers whose BPF programs are loaded before a request for them arrives: that takes
// a tenth of a second or more. They belong to one container. There is at most one of each type, because
// each has a megabyte or more in the kernel.
type prepared struct {
	containerID string
	newSampler  newSampler

	mu      sync.Mutex
	waiting map[api.ProfileType]*preparation // nil after close
	working sync.WaitGroup
}

// preparation is a sampler that is being loaded, or waits.
type preparation struct {
	key     string
	done    chan struct{} // closed when the fields below are set
	sampler capture.Sampler
	steps   *api.Steps
	err     error
}

// newSampler is the type of capture.New.
type newSampler func(api.ProfileType, capture.Options) (capture.Sampler, error)

func newPrepared(containerID string, create newSampler) *prepared {
	return &prepared{containerID: containerID, newSampler: create, waiting: map[api.ProfileType]*preparation{}}
}

// canPrepare reports whether a sampler for a request costs nothing while it waits: its perf events are
// off, while a program that watches context switches would run at each.
func canPrepare(r api.Request) bool { return r.Type == api.CPU || r.Type == api.Faults }

// key returns what the requests have in common that a sampler is for.
func key(r api.Request) string {
	r.Capture, r.Duration = "", time.Second
	return r.String()
}

// add begins to load a sampler for a request, if it can be prepared, in place of one that waits for
// another request of the type. With tables, it also reads the processes that run now: their files stay
// open until the sampler is closed.
func (p *prepared) add(r api.Request, tables bool) {
	if !canPrepare(r) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.waiting[r.Type]
	if p.waiting == nil || old != nil && old.key == key(r) {
		return
	}
	n := &preparation{key: key(r), done: make(chan struct{}), steps: new(api.Steps)}
	p.waiting[r.Type] = n
	p.working.Go(func() {
		old.close()
		defer close(n.done)
		n.sampler, n.err = p.load(r, tables, n.steps)
		n.steps.Begin("waiting")
	})
}

// load loads a sampler. A panic while it reads the target's files becomes an error: it must not end the
// profiler, and the request itself then shows why.
func (p *prepared) load(r api.Request, tables bool, steps *api.Steps) (s capture.Sampler, err error) {
	defer func() {
		if v := recover(); v != nil {
			s, err = nil, fmt.Errorf("prepare a profile: %v", v)
		}
	}()
	o := samplerOptions(p.containerID, r)
	o.Steps, o.LoadOnly = steps, !tables
	steps.Begin("load")
	return p.newSampler(r.Type, o)
}

// take returns the sampler for a request and its steps so far. It returns nil if none was prepared or
// it could not be: then the request itself shows why.
func (p *prepared) take(r api.Request) (capture.Sampler, *api.Steps) {
	p.mu.Lock()
	n := p.waiting[r.Type]
	if n == nil || n.key != key(r) {
		p.mu.Unlock()
		return nil, nil
	}
	delete(p.waiting, r.Type)
	p.mu.Unlock()
	<-n.done
	if n.err != nil {
		return nil, nil
	}
	if s, ok := n.sampler.(interface{ Prepare() error }); ok && s.Prepare() != nil {
		n.sampler.Close()
		return nil, nil
	}
	return n.sampler, n.steps
}

// close closes the samplers that were not taken. Afterwards none is loaded.
func (p *prepared) close() {
	p.mu.Lock()
	waiting := p.waiting
	p.waiting = nil
	p.mu.Unlock()
	p.working.Wait()
	for _, n := range waiting {
		n.close()
	}
}

// close waits until the sampler is loaded, and closes it.
func (n *preparation) close() {
	if n == nil {
		return
	}
	<-n.done
	if n.err == nil {
		n.sampler.Close()
	}
}
