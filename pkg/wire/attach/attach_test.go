package attach

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

// container is a listener's stdin and stdout, to which clients attach. Like a container runtime it gives what the
// container writes to the client that is attached, and drops it when there is none.
type container struct {
	stdin *io.PipeWriter

	mu       sync.Mutex
	attached *attached // nil if there is no client
}

// attached is a client that is attached to a container.
type attached struct {
	output chan []byte
	gone   chan struct{} // closed when the client has gone
}

func newContainer(t *testing.T) (*container, net.Listener) {
	in, stdin := io.Pipe()
	c := &container{stdin: stdin}
	l := Listen(in, c)
	t.Cleanup(func() { l.Close(); stdin.Close() })
	return c, l
}

func (c *container) Write(p []byte) (int, error) {
	c.mu.Lock()
	a := c.attached
	c.mu.Unlock()
	if a != nil {
		select {
		case a.output <- bytes.Clone(p):
		case <-a.gone:
		}
	}
	return len(p), nil
}

// attach is a stream that breaks, both ways, after so many bytes of the container's.
func (c *container) attach(cut int) net.Conn {
	ours, theirs := net.Pipe()
	a := &attached{make(chan []byte), make(chan struct{})}
	c.mu.Lock()
	c.attached = a
	c.mu.Unlock()
	silent := make(chan struct{})
	go func() {
		io.Copy(c.stdin, theirs)
		close(silent)
	}()
	go func() {
		defer theirs.Close()
		defer close(a.gone)
		for {
			select {
			case p := <-a.output:
				n, err := theirs.Write(p[:min(cut, len(p))])
				if cut -= n; cut <= 0 || err != nil {
					return
				}
			case <-silent:
				return
			}
		}
	}()
	return ours
}

// echo serves each connection by sending back what it is sent.
func echo(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() { defer c.Close(); io.Copy(c, c) }()
	}
}

// However a stream was cut, the next one is clean.
func TestConnectionsOneAfterAnother(t *testing.T) {
	c, l := newContainer(t)
	go echo(l)
	random := rand.New(rand.NewPCG(1, 2))
	whole := 0
	for i := range 60 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		cut := 1 << 30
		if i%3 != 0 {
			cut = random.IntN(40_000)
		}
		conn, err := Connect(ctx, c.attach(cut))
		cancel()
		if err != nil {
			if cut == 1<<30 { // others may be cut before the answer
				t.Fatalf("cut at %d: %v", cut, err)
			}
			continue
		}
		want := bytes.Repeat(fmt.Appendf(nil, "%06d,", i), 3000)
		go conn.Write(want)
		got, err := io.ReadAll(io.LimitReader(conn, int64(len(want))))
		if !bytes.HasPrefix(want, got) {
			t.Fatalf("connection %d, cut at %d: what came is not what was sent", i, cut)
		}
		if cut == 1<<30 {
			if len(got) != len(want) || err != nil {
				t.Fatalf("connection %d: %d bytes of %d, %v", i, len(got), len(want), err)
			}
			whole++
		}
		conn.Close()
	}
	if whole != 20 {
		t.Errorf("%d connections were whole, of 20", whole)
	}
}

func TestCloseIsToldToTheContainer(t *testing.T) {
	c, l := newContainer(t)
	conn, err := make(chan error, 1), error(nil)
	go func() {
		accepted, err := l.Accept()
		if err == nil {
			_, err = accepted.Read(make([]byte, 1))
		}
		conn <- err
	}()
	client, err := Connect(t.Context(), c.attach(1<<30))
	if err != nil {
		t.Fatal(err)
	}
	client.Close()
	if err := <-conn; !errors.Is(err, io.EOF) {
		t.Errorf("the container's end saw %v", err)
	}
}

func TestNobodyAnswers(t *testing.T) {
	ours, theirs := net.Pipe()
	go io.Copy(io.Discard, theirs)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := Connect(ctx, ours); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// However a stream is divided into reads, its parts are the same.
func FuzzScanner(f *testing.F) {
	n := newNonce()
	f.Add([]byte("before"+string(n.call())+"after"+call[:7]), uint8(3))
	f.Add([]byte(call[:15]+call+call), uint8(1))
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		fuzzbudget.Enforce(t)
		join := func(parts []part) (data []byte, calls int) {
			for _, p := range parts {
				if p.call != nil {
					calls++
					data = append(data, p.call.call()...)
				}
				data = append(data, p.data...)
			}
			return data, calls
		}
		var one scanner
		want, wantCalls := join(one.scan(stream))
		if !bytes.Equal(append(want, one.held...), stream) {
			t.Fatal("bytes were lost")
		}
		var s scanner
		var data []byte
		calls := 0
		for rest := stream; len(rest) > 0; {
			n := min(int(size)+1, len(rest))
			d, c := join(s.scan(rest[:n]))
			data, calls, rest = append(data, d...), calls+c, rest[n:]
		}
		if calls != wantCalls || !bytes.Equal(append(data, s.held...), stream) {
			t.Fatalf("in reads of %d bytes: %d calls, want %d", int(size)+1, calls, wantCalls)
		}
	})
}
