package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestVersion(t *testing.T) {
	_, dial := serve(t, &fakeCapturer{}, nil)
	c := NewClient(dial)
	defer c.Close()
	v, err := c.Version(t.Context())
	if err != nil || *v != (Version{Version: "v1", Kernel: "6.1.0", Arch: "amd64"}) {
		t.Errorf("got %+v, %v", v, err)
	}
}

// The API needs nothing of a socket but what a net.Conn has.
func TestOverAPipe(t *testing.T) {
	h := NewHandler(&fakeCapturer{functions: 100}, Version{}, nil)
	ours, theirs := net.Pipe()
	l := &oneConn{conn: theirs, closed: make(chan struct{})}
	srv := NewServer(h)
	go srv.Serve(l)
	defer srv.Close()
	c := NewClient(func(context.Context) (net.Conn, error) { return ours, nil })
	defer c.Close()
	p, err := c.Profile(t.Context(), Request{Type: "cpu", Duration: 10 * time.Millisecond, Frequency: 99})
	if err != nil || len(p.Sample) != 100 {
		t.Errorf("got %v, %v", p, err)
	}
}

// oneConn is a listener with a single connection.
type oneConn struct {
	conn   net.Conn
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}
func (l *oneConn) Close() error   { close(l.closed); return nil }
func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

func TestProfilePassesTheRequestOn(t *testing.T) {
	f := &fakeCapturer{functions: 3}
	_, dial := serve(t, f, nil)
	c := NewClient(dial)
	defer c.Close()
	want := Request{Type: "cpu", Capture: NewCaptureID(), Duration: 30 * time.Millisecond, Frequency: 499, PIDs: []int{7, 9}, By: ByThread}
	if _, err := c.Profile(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(f.requests); got != fmt.Sprint([]Request{want}) {
		t.Errorf("the capturer got %s, want %v", got, want)
	}
}

func TestProgressMayBeAskedFirst(t *testing.T) {
	_, dial := serve(t, &fakeCapturer{functions: 3}, nil)
	c := NewClient(dial)
	defer c.Close()
	id := NewCaptureID()
	var lines []Progress
	watched := make(chan error)
	go func() {
		watched <- c.Progress(t.Context(), id, func(p Progress) { lines = append(lines, p) })
	}()
	time.Sleep(50 * time.Millisecond) // lets the request for progress go out first
	if _, err := c.Profile(t.Context(), Request{Type: "cpu", Capture: id, Duration: 700 * time.Millisecond, Frequency: 99}); err != nil {
		t.Fatal(err)
	}
	if err := <-watched; err != nil {
		t.Fatal(err)
	}
	if len(lines) < 3 || lines[len(lines)-1].State != Done || lines[1].State != Sampling || lines[1].Samples != 7 {
		t.Errorf("got %+v", lines)
	}
}

func TestStopEndsSamplingEarly(t *testing.T) {
	_, dial := serve(t, &fakeCapturer{functions: 3}, nil)
	c := NewClient(dial)
	defer c.Close()
	id := NewCaptureID()
	go c.Progress(t.Context(), id, func(p Progress) {
		if p.State == Sampling {
			c.Stop(t.Context(), id)
		}
	})
	p, err := c.Profile(t.Context(), Request{Type: "cpu", Capture: id, Duration: time.Minute, Frequency: 99})
	if err != nil || len(p.Sample) != 3 {
		t.Errorf("got %v, %v", p, err)
	}
}

func TestExitSaysWhetherForced(t *testing.T) {
	forced := make(chan bool, 1)
	_, dial := serve(t, &fakeCapturer{}, func(force bool) bool { forced <- force; return force })
	c := NewClient(dial)
	defer c.Close()
	for _, want := range []bool{true, false} {
		if err := c.Exit(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		if got := <-forced; got != want {
			t.Errorf("force arrived as %v, want %v", got, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	good := Request{Type: "cpu", Duration: time.Millisecond, Frequency: 99}
	with := func(change func(*Request)) Request { r := good; change(&r); return r }
	cases := map[string]struct {
		capturer *fakeCapturer
		request  Request
		status   int
		reason   string
		text     string
	}{
		"unknown type":       {request: with(func(r *Request) { r.Type = "heat" }), status: 400, reason: ReasonBadRequest, text: "choose one of: cpu"},
		"duration too long":  {request: with(func(r *Request) { r.Duration = 2 * time.Hour }), status: 400, reason: ReasonBadRequest, text: "seconds"},
		"frequency too high": {request: with(func(r *Request) { r.Frequency = 1001 }), status: 400, reason: ReasonBadRequest, text: "from 1 to 1000"},
		"negative PID":       {request: with(func(r *Request) { r.PIDs = []int{-1} }), status: 400, reason: ReasonBadRequest, text: "pid"},
		"by unknown":         {request: with(func(r *Request) { r.By = "color" }), status: 400, reason: ReasonBadRequest, text: "must be thread"},
		"bad capture ID":     {request: with(func(r *Request) { r.Capture = "../x" }), status: 400, reason: ReasonBadRequest, text: "capture ID"},
		"capturer refuses": {capturer: &fakeCapturer{startErr: &Error{Status: 501, Reason: "no_btf", Message: "no type information"}},
			request: good, status: 501, reason: "no_btf", text: "no type information"},
		"capture fails":  {capturer: &fakeCapturer{runErr: errors.New("ring buffer gone")}, request: good, status: 500, reason: ReasonInternal, text: "ring buffer gone"},
		"capture panics": {capturer: &fakeCapturer{panics: true}, request: good, status: 500, reason: ReasonInternal, text: "index out of range"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.capturer == nil {
				tc.capturer = &fakeCapturer{}
			}
			_, dial := serve(t, tc.capturer, nil)
			c := NewClient(dial)
			defer c.Close()
			_, err := c.Profile(t.Context(), tc.request)
			var e *Error
			if !errors.As(err, &e) || e.Status != tc.status || e.Reason != tc.reason || !strings.Contains(e.Message, tc.text) {
				t.Errorf("got %#v, want status %d, reason %s, text %q", err, tc.status, tc.reason, tc.text)
			}
		})
	}
}

func TestFailureEndsTheProgress(t *testing.T) {
	_, dial := serve(t, &fakeCapturer{runErr: errors.New("ring buffer gone")}, nil)
	c := NewClient(dial)
	defer c.Close()
	id := NewCaptureID()
	c.Profile(t.Context(), Request{Type: "cpu", Capture: id, Duration: time.Millisecond, Frequency: 99})
	var last Progress
	if err := c.Progress(t.Context(), id, func(p Progress) { last = p }); err != nil {
		t.Fatal(err)
	}
	if last.State != Failed || last.Error != "ring buffer gone" {
		t.Errorf("got %+v", last)
	}
}

func TestTooManyAtOnce(t *testing.T) {
	f := &fakeCapturer{}
	h, dial := serve(t, f, nil)
	defer h.Abandon()
	c := NewClient(dial)
	defer c.Close()
	for range maxRunning {
		go c.Profile(t.Context(), Request{Type: "cpu", Duration: time.Minute, Frequency: 99})
	}
	for deadline := time.Now().Add(5 * time.Second); f.starts() < maxRunning && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	_, err := c.Profile(t.Context(), Request{Type: "cpu", Duration: time.Millisecond, Frequency: 99})
	var e *Error
	if !errors.As(err, &e) || e.Status != http.StatusTooManyRequests || e.Reason != ReasonBusy {
		t.Errorf("got %v", err)
	}
}

func TestFinishedResultsAreBounded(t *testing.T) {
	h, dial := serve(t, &fakeCapturer{functions: 1}, nil)
	c := NewClient(dial)
	defer c.Close()
	var ids []string
	for range maxFinished + 2 {
		ids = append(ids, NewCaptureID())
		if _, err := c.Profile(t.Context(), Request{Type: "cpu", Capture: ids[len(ids)-1], Duration: time.Millisecond, Frequency: 99}); err != nil {
			t.Fatal(err)
		}
	}
	// A capture is counted a moment after its result went out.
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		oldest, _ := h.captures.find(ids[0])
		newest, _ := h.captures.find(ids[len(ids)-1])
		if oldest == nil && newest != nil && len(h.captures.byID) == maxFinished {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d results are kept, want %d; the oldest is kept: %v", len(h.captures.byID), maxFinished, oldest != nil)
		}
	}
}

func TestClosedClientDoesNotConnectAgain(t *testing.T) {
	_, dial := serve(t, &fakeCapturer{}, nil)
	dials := 0
	c := NewClient(func(ctx context.Context) (net.Conn, error) { dials++; return dial(ctx) })
	if _, err := c.Version(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if err := c.Exit(t.Context(), false); !errors.Is(err, net.ErrClosed) || dials != 1 {
		t.Errorf("got %v after %d dials", err, dials)
	}
}
