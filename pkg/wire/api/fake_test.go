package api

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
)

// fakeCapturer makes profiles of incompressible function names.
type fakeCapturer struct {
	functions int
	startErr  error
	runErr    error
	panics    bool

	mu       sync.Mutex
	requests []Request

	slices atomic.Int32 // that were made
}

func (f *fakeCapturer) Start(r Request) (Capture, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, r)
	return &fakeCapture{fakeCapturer: f, request: r}, f.startErr
}

// starts tells how many captures were started.
func (f *fakeCapturer) starts() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.requests)
}

type fakeCapture struct {
	*fakeCapturer
	request Request
	sampled atomic.Bool // sampling has ended
}

func (f *fakeCapture) Progress() Progress {
	return Progress{State: Sampling, ElapsedMs: 1500, Samples: 7, Lost: 1, Processes: 2}
}

func (f *fakeCapture) Slice() (*profile.Profile, error) {
	if f.sampled.Load() {
		return nil, nil
	}
	f.slices.Add(1)
	return fakeProfile(f.functions), nil
}

func (f *fakeCapture) Run(ctx context.Context) (*profile.Profile, error) {
	start := time.Now()
	<-ctx.Done()
	f.sampled.Store(true)
	if f.panics {
		panic("index out of range")
	}
	p := fakeProfile(f.functions)
	p.DurationNanos = time.Since(start).Nanoseconds()
	return p, f.runErr
}

func fakeProfile(functions int) *profile.Profile {
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

// serve runs a server for the capturer on a unix socket and returns how to connect to it.
func serve(t *testing.T, c Capturer, exit func(bool) bool) (h *Handler, dial func(context.Context) (net.Conn, error)) {
	t.Helper()
	if exit == nil {
		exit = func(bool) bool { return true }
	}
	h = NewHandler(c, Version{Version: "v1", Kernel: "6.1.0", Arch: "amd64"}, exit)
	socket := filepath.Join(t.TempDir(), "socket")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	srv := NewServer(h)
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return h, func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
}

// cutConn breaks after a number of bytes read.
type cutConn struct {
	net.Conn
	left int
}

func (c *cutConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		c.Conn.Close()
		return 0, net.ErrClosed
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}
