package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/internal/apitest"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/server"
)

func TestVersion(t *testing.T) {
	_, dial := apitest.Serve(t, &apitest.Capturer{}, nil)
	c := New(dial)
	defer c.Close()
	v, err := c.Version(t.Context())
	if err != nil || *v != (api.Version{Version: "v1", Kernel: "6.1.0", Arch: "amd64"}) {
		t.Errorf("got %+v, %v", v, err)
	}
}

// The API works over any net.Conn; it does not need a socket.
func TestOverAPipe(t *testing.T) {
	h := server.NewHandler(&apitest.Capturer{Functions: 100}, api.Version{}, nil)
	ours, theirs := net.Pipe()
	l := &oneConn{conn: theirs, closed: make(chan struct{})}
	srv := server.New(h)
	go srv.Serve(l)
	defer srv.Close()
	c := New(func(context.Context) (net.Conn, error) { return ours, nil })
	defer c.Close()
	p, err := c.Profile(t.Context(), api.Request{Type: api.CPU, Duration: 10 * time.Millisecond, Frequency: 99})
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

func (l *oneConn) Close() error { close(l.closed); return nil }

func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

func TestProfilePassesTheRequestOn(t *testing.T) {
	f := &apitest.Capturer{Functions: 3}
	_, dial := apitest.Serve(t, f, nil)
	c := New(dial)
	defer c.Close()
	want := api.Request{Type: api.CPU, Capture: api.NewCaptureID(), Duration: 30 * time.Millisecond, Frequency: 499, PIDs: []int{7, 9}, By: api.ByThread}
	if _, err := c.Profile(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(f.Requests()); got != fmt.Sprint([]api.Request{want}) {
		t.Errorf("the capturer got %s, want %v", got, want)
	}
}

func TestTimingHasTheStepsOfTheProfiler(t *testing.T) {
	_, dial := apitest.Serve(t, &apitest.Capturer{Functions: 3}, nil)
	c := New(dial)
	defer c.Close()
	var steps []string
	c.Timing = func(typ api.ProfileType, all []api.Step) {
		for _, s := range all {
			steps = append(steps, typ.Name+" "+s.Name)
		}
	}
	request := api.Request{Type: api.CPU, Duration: 30 * time.Millisecond, Frequency: 99}
	if _, err := c.Profile(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(steps, ", "); got != "cpu sampling, cpu encoding, cpu sending" {
		t.Errorf("got %s", got)
	}
}

func TestProgressMayBeAskedFirst(t *testing.T) {
	_, dial := apitest.Serve(t, &apitest.Capturer{Functions: 3}, nil)
	c := New(dial)
	defer c.Close()
	id := api.NewCaptureID()
	var lines []api.Progress
	watched := make(chan error)
	go func() {
		sampling := 0
		watched <- c.Progress(t.Context(), id, func(p api.Progress) {
			if lines = append(lines, p); p.State == api.Sampling {
				if sampling++; sampling == 2 {
					c.Stop(t.Context(), id)
				}
			}
		})
	}()
	time.Sleep(50 * time.Millisecond) // lets the request for progress go out first
	request := api.Request{Type: api.CPU, Capture: id, Duration: time.Minute, Frequency: 99}
	if _, err := c.Profile(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	if err := <-watched; err != nil {
		t.Fatal(err)
	}
	if len(lines) < 3 || lines[len(lines)-1].State != api.Done || lines[1].State != api.Sampling || lines[1].Samples != 7 {
		t.Errorf("got %+v", lines)
	}
}

func TestStopEndsSamplingEarly(t *testing.T) {
	_, dial := apitest.Serve(t, &apitest.Capturer{Functions: 3}, nil)
	c := New(dial)
	defer c.Close()
	id := api.NewCaptureID()
	go c.Progress(t.Context(), id, func(p api.Progress) {
		if p.State == api.Sampling {
			c.Stop(t.Context(), id)
		}
	})
	p, err := c.Profile(t.Context(), api.Request{Type: api.CPU, Capture: id, Duration: time.Minute, Frequency: 99})
	if err != nil || len(p.Sample) != 3 {
		t.Errorf("got %v, %v", p, err)
	}
}

func TestExitSaysWhetherForced(t *testing.T) {
	forced := make(chan bool, 1)
	_, dial := apitest.Serve(t, &apitest.Capturer{}, func(force bool) bool { forced <- force; return force })
	c := New(dial)
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
	good := api.Request{Type: api.CPU, Duration: time.Millisecond, Frequency: 99}
	with := func(change func(*api.Request)) api.Request { r := good; change(&r); return r }
	cases := map[string]struct {
		capturer *apitest.Capturer
		request  api.Request
		status   int
		reason   string
		text     string
	}{
		"unknown type":       {request: with(func(r *api.Request) { r.Type = api.ProfileType{Name: "heat", Path: "/debug/pprof/heat"} }), status: 404, reason: api.ReasonInternal, text: "404 page not found"},
		"duration too long":  {request: with(func(r *api.Request) { r.Duration = 2 * time.Hour }), status: 400, reason: api.ReasonBadRequest, text: `seconds="7200" must be a number above 0 and at most 3600`},
		"frequency too high": {request: with(func(r *api.Request) { r.Frequency = 1001 }), status: 400, reason: api.ReasonBadRequest, text: "from 1 to 1000"},
		"negative PID":       {request: with(func(r *api.Request) { r.PIDs = []int{-1} }), status: 400, reason: api.ReasonBadRequest, text: "pid"},
		"by unknown":         {request: with(func(r *api.Request) { r.By = "color" }), status: 400, reason: api.ReasonBadRequest, text: "must be thread"},
		"bad capture ID":     {request: with(func(r *api.Request) { r.Capture = "../x" }), status: 400, reason: api.ReasonBadRequest, text: "capture ID"},
		"capturer refuses": {capturer: &apitest.Capturer{StartErr: &api.Error{Status: 501, Reason: "no_btf", Message: "no type information"}},
			request: good, status: 501, reason: "no_btf", text: "no type information"},
		"capture fails":  {capturer: &apitest.Capturer{RunErr: errors.New("ring buffer gone")}, request: good, status: 500, reason: api.ReasonInternal, text: "ring buffer gone"},
		"capture panics": {capturer: &apitest.Capturer{Panics: true}, request: good, status: 500, reason: api.ReasonInternal, text: "index out of range"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.capturer == nil {
				tc.capturer = &apitest.Capturer{}
			}
			_, dial := apitest.Serve(t, tc.capturer, nil)
			c := New(dial)
			defer c.Close()
			_, err := c.Profile(t.Context(), tc.request)
			var e *api.Error
			if !errors.As(err, &e) || e.Status != tc.status || e.Reason != tc.reason || !strings.Contains(e.Message, tc.text) {
				t.Errorf("got %#v, want status %d, reason %s, text %q", err, tc.status, tc.reason, tc.text)
			}
		})
	}
}

// A request that was damaged on its way is refused for its form. It is sent again, over another connection.
func TestDamagedRequestIsRepeated(t *testing.T) {
	srv := server.New(server.NewHandler(&apitest.Capturer{Functions: 3}, api.Version{}, nil))
	intact, connections, requests := srv.Handler, atomic.Int32{}, atomic.Int32{}
	srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 1 {
			r.URL.RawQuery = "capture=:"
		}
		intact.ServeHTTP(w, r)
	})
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "socket"))
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(l)
	defer srv.Close()
	c := New(func(context.Context) (net.Conn, error) {
		connections.Add(1)
		return net.Dial("unix", l.Addr().String())
	})
	defer c.Close()
	p, err := c.Profile(t.Context(), api.Request{Type: api.CPU, Capture: api.NewCaptureID(), Duration: 10 * time.Millisecond, Frequency: 99})
	if err != nil || len(p.Sample) != 3 {
		t.Errorf("got %v, %v", p, err)
	}
	if n := connections.Load(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
}

func TestFailureEndsTheProgress(t *testing.T) {
	_, dial := apitest.Serve(t, &apitest.Capturer{RunErr: errors.New("ring buffer gone")}, nil)
	c := New(dial)
	defer c.Close()
	id := api.NewCaptureID()
	c.Profile(t.Context(), api.Request{Type: api.CPU, Capture: id, Duration: time.Millisecond, Frequency: 99})
	var last api.Progress
	if err := c.Progress(t.Context(), id, func(p api.Progress) { last = p }); err != nil {
		t.Fatal(err)
	}
	if last.State != api.Failed || last.Error != "ring buffer gone" {
		t.Errorf("got %+v", last)
	}
}

func TestClosedClientDoesNotConnectAgain(t *testing.T) {
	_, dial := apitest.Serve(t, &apitest.Capturer{}, nil)
	dials := 0
	c := New(func(ctx context.Context) (net.Conn, error) { dials++; return dial(ctx) })
	if _, err := c.Version(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if err := c.Exit(t.Context(), false); !errors.Is(err, net.ErrClosed) || dials != 1 {
		t.Errorf("got %v after %d dials", err, dials)
	}
}
