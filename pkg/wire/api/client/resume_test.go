package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/internal/apitest"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/server"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/slice"
)

// A transfer cut again and again arrives whole, from one capture.
func TestCutTransfersAreResumed(t *testing.T) {
	const functions = 5_000 // some 80 KB of result
	f := &apitest.Capturer{Functions: functions}
	_, dial := apitest.Serve(t, f, nil)
	rnd := rand.New(rand.NewPCG(3, 4))
	for seed := range 100 {
		started := len(f.Requests())
		cuts := 0
		c := New(func(ctx context.Context) (net.Conn, error) {
			conn, err := dial(ctx)
			if err != nil || cuts == 4 {
				return conn, err
			}
			cuts++
			return &cutConn{conn, rnd.IntN(40_000)}, nil
		})
		c.pause = time.Millisecond
		p, err := c.Profile(t.Context(), api.Request{Type: api.CPU, Duration: time.Millisecond, Frequency: 99})
		if err != nil || len(p.Sample) != functions {
			t.Errorf("%d: after %d cuts: %v", seed, cuts, err)
		}
		if n := len(f.Requests()) - started; n != 1 {
			t.Errorf("%d: %d captures were made, want 1", seed, n)
		}
		c.Close()
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

func TestResumeSendsOnlyTheRest(t *testing.T) {
	f := &apitest.Capturer{Functions: 20_000}
	h, _ := apitest.Serve(t, f, nil)
	var ranges []string
	record := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ranges = append(ranges, r.Header.Get("Range"))
		h.ServeHTTP(w, r)
	})
	l, err := net.Listen("unix", t.TempDir()+"/recording")
	if err != nil {
		t.Fatal(err)
	}
	srv := server.New(record)
	go srv.Serve(l)
	defer srv.Close()
	first := true
	c := New(func(ctx context.Context) (net.Conn, error) {
		conn, err := net.Dial("unix", l.Addr().String())
		if first {
			first = false
			return &cutConn{conn, 100_000}, err
		}
		return conn, err
	})
	defer c.Close()
	c.pause = time.Millisecond
	if _, err := c.Profile(t.Context(), api.Request{Type: api.CPU, Duration: time.Millisecond, Frequency: 99}); err != nil {
		t.Fatal(err)
	}
	if len(ranges) != 2 || ranges[0] != "" {
		t.Fatalf("the ranges asked for were %q", ranges)
	}
	from, err := strconv.Atoi(strings.Trim(ranges[1], "bytes=-"))
	if err != nil || from < 50_000 || from > 100_000 {
		t.Errorf("the second request asked for %q after 100000 bytes of the stream", ranges[1])
	}
}

// An API server may be away for a while; the profiler waits as long as we try.
func TestGivesUpWhenNothingComes(t *testing.T) {
	broken := errors.New("no route")
	for name, hopelessAfter := range map[string]time.Duration{"nobody knows": time.Hour, "the target has ended": 20 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin, attempts := time.Now(), 0
				c := New(func(context.Context) (net.Conn, error) { attempts++; return nil, broken })
				c.Broken = func(context.Context, error) bool { return time.Since(begin) >= hopelessAfter }
				_, err := c.Profile(t.Context(), api.Request{Type: api.CPU, Duration: time.Second, Frequency: 99})
				want := min(api.UnattendedTime, hopelessAfter)
				if took := time.Since(begin); !errors.Is(err, broken) || took < want || took > want+maxPause || attempts > 40 {
					t.Errorf("got %v after %d attempts in %v", err, attempts, took)
				}
			})
		})
	}
}

func TestForgottenResultIsNotCapturedAgain(t *testing.T) {
	f := &apitest.Capturer{Functions: 20_000}
	h, dial := apitest.Serve(t, f, nil)
	var dials atomic.Int32
	c := New(func(ctx context.Context) (net.Conn, error) {
		conn, err := dial(ctx)
		if dials.Add(1) == 1 {
			return &cutConn{conn, 100_000}, err
		}
		h.Abandon()
		return conn, err
	})
	defer c.Close()
	c.pause = time.Millisecond
	_, err := c.Profile(t.Context(), api.Request{Type: api.CPU, Duration: time.Millisecond, Frequency: 99})
	var e *api.Error
	if !errors.As(err, &e) || e.Status != http.StatusGone || e.Reason != api.ReasonExpired || len(f.Requests()) != 1 {
		t.Errorf("got %v after %d captures", err, len(f.Requests()))
	}
}

// Damage that leaves the length right is found by the digest.
func TestDamageIsDetected(t *testing.T) {
	h, _ := apitest.Serve(t, &apitest.Capturer{Functions: 100}, nil)
	damage := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(&flipper{ResponseWriter: w}, r)
	})
	l, err := net.Listen("unix", t.TempDir()+"/damaging")
	if err != nil {
		t.Fatal(err)
	}
	srv := server.New(damage)
	go srv.Serve(l)
	defer srv.Close()
	c := New(func(context.Context) (net.Conn, error) { return net.Dial("unix", l.Addr().String()) })
	defer c.Close()
	c.pause = time.Millisecond
	if _, err := c.Profile(t.Context(), api.Request{Type: api.CPU, Duration: time.Millisecond, Frequency: 99}); !errors.Is(err, errDamaged) {
		t.Errorf("got %v, want %v", err, errDamaged)
	}
}

// flipper inverts a bit of each write.
type flipper struct{ http.ResponseWriter }

func (f *flipper) Write(p []byte) (int, error) {
	q := bytes.Clone(p)
	q[len(q)/2] ^= 1
	return f.ResponseWriter.Write(q)
}

// A slice that got lost on its way comes again, and the next one only when it is asked for.
func TestSlicesAreResumed(t *testing.T) {
	f := &apitest.Capturer{Functions: 20_000}
	_, dial := apitest.Serve(t, f, nil)
	var dials atomic.Int32
	c := New(func(ctx context.Context) (net.Conn, error) {
		conn, err := dial(ctx)
		if dials.Add(1) == 1 {
			return &cutConn{conn, 100_000}, err
		}
		return conn, err
	})
	defer c.Close()
	c.pause = time.Millisecond
	id := api.NewCaptureID()
	var got []int // new stacks
	var sum slice.Sum
	done := make(chan error)
	go func() {
		done <- c.Slices(t.Context(), id, func(data []byte) error {
			x, err := slice.Decode(data)
			if err != nil {
				return err
			}
			got = append(got, len(x.Stacks))
			if x.Number == 2 {
				c.Stop(t.Context(), id)
			}
			return sum.Add(data)
		})
	}()
	if _, err := c.Profile(t.Context(), api.Request{Type: api.CPU, Capture: id, Duration: time.Minute, Frequency: 99}); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil || !slices.Equal(got, []int{20_000, 0}) || f.Slices.Load() != 2 || dials.Load() < 2 {
		t.Errorf("got slices with %v new stacks, %v; %d were made, over %d connections",
			got, err, f.Slices.Load(), dials.Load())
	}
	if p, err := sum.Profile(); err != nil || len(p.Sample) != 20_000 || p.Sample[0].Value[0] != 2 {
		t.Errorf("the slices add up to %v, %v", p, err)
	}
}

// messageConn passes on what it is sent as a WebSocket does: all that is there as one message, and none of one that goes
// beyond what is left of the connection.
type messageConn struct {
	net.Conn
	left int
}

func (c *messageConn) Read(p []byte) (int, error) {
	time.Sleep(5 * time.Millisecond) // more comes
	n, err := c.Conn.Read(p)
	if c.left -= n; c.left < 0 {
		c.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

func TestStreamsThatBreakEarlyBringLittleAtATime(t *testing.T) {
	_, dial := apitest.Serve(t, &apitest.Capturer{Functions: 2000}, nil)
	var dials atomic.Int32
	c := New(func(ctx context.Context) (net.Conn, error) {
		dials.Add(1)
		conn, err := dial(ctx)
		return &messageConn{conn, 5000}, err
	})
	defer c.Close()
	c.pause = time.Millisecond
	c.Broken = func(context.Context, error) bool { return dials.Load() > 200 }
	p, err := c.Profile(t.Context(), api.Request{Type: api.CPU, Duration: time.Millisecond, Frequency: 99})
	if err != nil || len(p.Sample) != 2000 {
		t.Fatalf("%v after %d connections", err, dials.Load())
	}
	t.Logf("%d connections", dials.Load())
}
