// Package apitest holds what the tests of the API's client and server share: a fake capturer and a server for it.
package apitest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/server"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/slice"
)

// Capturer is a server.Capturer whose profiles hold made-up functions.
type Capturer struct {
	Functions int   // number of functions, each with one sample
	StartErr  error // returned by Start
	RunErr    error // returned by the capture's Run
	Panics    bool  // the capture's Run panics

	Slices atomic.Int32 // slices made so far

	mu       sync.Mutex
	requests []api.Request
}

// Start records the request.
func (c *Capturer) Start(r api.Request) (server.Capture, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = append(c.requests, r)
	encoder := slice.Encoder{IsWrapper: func(*profile.Location) bool { return false }}
	return &capture{Capturer: c, encoder: encoder}, c.StartErr
}

// Requests returns the requests received so far.
func (c *Capturer) Requests() []api.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]api.Request(nil), c.requests...)
}

type capture struct {
	*Capturer
	ended   atomic.Bool // sampling has ended
	encoder slice.Encoder
}

func (c *capture) Progress() api.Progress {
	return api.Progress{State: api.Sampling, ElapsedMs: 1500, Samples: 7, Lost: 1, Processes: 2}
}

func (c *capture) Slice() (*slice.Slice, error) {
	if c.ended.Load() {
		return nil, nil
	}
	c.Slices.Add(1)
	return c.encoder.Next(Profile(c.Functions)), nil
}

func (c *capture) Close() {}

func (c *capture) Steps() []api.Step { return []api.Step{{Name: "sampling", Took: time.Second}} }

func (c *capture) Run(ctx context.Context) (*profile.Profile, error) {
	start := time.Now()
	<-ctx.Done()
	c.ended.Store(true)
	if c.Panics {
		panic("index out of range")
	}
	p := Profile(c.Functions)
	p.DurationNanos = time.Since(start).Nanoseconds()
	return p, c.RunErr
}

// Profile returns a CPU profile with one sample in each of a number of functions. Their names are random, so that
// they do not compress.
func Profile(functions int) *profile.Profile {
	rnd := rand.New(rand.NewPCG(1, 2))
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		PeriodType: &profile.ValueType{Type: "cpu", Unit: "nanoseconds"},
		Period:     10101010,
	}
	for i := range functions {
		f := &profile.Function{ID: uint64(i + 1), Name: fmt.Sprintf("main.%016x", rnd.Uint64())}
		l := &profile.Location{ID: uint64(i + 1), Line: []profile.Line{{Function: f, Line: 1}}}
		p.Function, p.Location = append(p.Function, f), append(p.Location, l)
		p.Sample = append(p.Sample, &profile.Sample{Location: []*profile.Location{l}, Value: []int64{1, 10101010}})
	}
	return p
}

// Serve runs a server for the capturer on a unix socket until the test ends. It returns the server's handler and a
// function that connects to the socket. A nil exit accepts every request to exit.
func Serve(t *testing.T, c server.Capturer, exit func(bool) bool) (*server.Handler, func(context.Context) (net.Conn, error)) {
	t.Helper()
	if exit == nil {
		exit = func(bool) bool { return true }
	}
	h := server.NewHandler(c, api.Version{Version: "v1", Kernel: "6.1.0", Arch: "amd64"}, exit)
	socket := filepath.Join(t.TempDir(), "socket")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	srv := server.New(h)
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return h, func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
}
