//go:build linux

package profiler

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// A sampler that was prepared serves one request that differs only in its capture and duration.
func TestPrepared(t *testing.T) {
	need.Root(t)
	target := startContainer(t, program(t, "test/workloads/spin"))
	p := newPrepared(target.id, capture.New)
	defer p.close()
	request := api.CPU.Request(api.Request{Duration: time.Minute, Frequency: 99})
	offCPU := api.OffCPU.Request(request)
	p.add(request, true)
	p.add(offCPU, true)

	other := request
	other.Frequency = 49
	for name, r := range map[string]api.Request{
		"another frequency": other, "a type that runs at each context switch": offCPU,
	} {
		if s, _ := p.take(r); s != nil {
			t.Errorf("%s: there is a sampler", name)
			s.Close()
		}
	}
	request.Capture, request.Duration = api.NewCaptureID(), time.Second
	c := capturer{containerID: target.id, prepared: p, keep: true}
	for range 2 { // the second sampler is prepared after the first has been closed
		p.mu.Lock()
		n := p.waiting[request.Type]
		p.mu.Unlock()
		if n == nil {
			t.Fatal("no sampler is prepared")
		}
		started, err := c.Start(request)
		if err != nil {
			t.Fatal(err)
		}
		if started.(*running).sampler != n.sampler {
			t.Error("the sampler that was prepared is not used")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			for ctx.Err() == nil && started.Progress().Samples == 0 {
				time.Sleep(10 * time.Millisecond)
			}
			cancel()
		}()
		profile, err := started.Run(ctx)
		cancel()
		<-watched
		if err != nil || len(profile.Sample) == 0 {
			t.Errorf("got %v, %v", profile, err)
		}
		started.Close()
	}
}

// If preparing a sampler fails or panics, nothing is prepared, and the request loads a sampler itself.
func TestPreparationThatFails(t *testing.T) {
	request := api.CPU.Request(api.Request{Duration: time.Minute, Frequency: 99})
	for name, create := range map[string]newSampler{
		"error": func(api.ProfileType, capture.Options) (capture.Sampler, error) {
			return nil, errors.New("no such container")
		},
		"panic": func(api.ProfileType, capture.Options) (capture.Sampler, error) { panic("malformed") },
	} {
		p := newPrepared("none", create)
		p.add(request, true)
		if s, _ := p.take(request); s != nil {
			t.Errorf("%s: there is a sampler", name)
		}
		p.close()
	}
}
