package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/exec"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/attach"
)

// Dialer opens connections to one container. It remembers which ways have failed: the next connection takes another.
// Its methods may be called from several goroutines.
type Dialer struct {
	config  *rest.Config
	ref     Ref
	command []string
	ways    []way

	mu     sync.Mutex
	at     int // the way of the next connection
	barren int // connections in a row that brought nothing
}

// NewDialer makes a dialer that may use the given transfers. The command is what exec runs.
func NewDialer(config *rest.Config, ref Ref, transfers []Transfer, command ...string) *Dialer {
	return &Dialer{config: config, ref: ref, command: command, ways: ways(transfers)}
}

// Dial returns when the stream is established, or with the reason why not; an error of the API server can be had by
// errors.As. The end of ctx does not end the connection once it is there. What exec's command says on stderr becomes
// part of read errors.
func (d *Dialer) Dial(ctx context.Context) (net.Conn, error) {
	if len(d.ways) == 0 {
		return nil, fmt.Errorf("%s: there is no way to reach it but its log", d.ref)
	}
	for tried := 1; ; tried++ {
		at := d.current()
		c, err := d.open(ctx, d.ways[at])
		if err == nil {
			return &watched{Conn: c, dialer: d, at: at}, nil
		}
		if !ofTheWay(err) {
			return nil, err
		}
		d.failed(at, false)
		if tried == len(d.ways) || ctx.Err() != nil {
			return nil, err
		}
	}
}

// Exhausted tells that every way was tried, twice, and nothing came through any.
func (d *Dialer) Exhausted() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.barren >= 2*len(d.ways)
}

func (d *Dialer) current() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.at
}

// failed chooses the next way after one that broke: the same transfer's other protocol if it brought something, so
// that a WebSocket which is cut again and again makes place for SPDY.
func (d *Dialer) failed(at int, brought bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.barren++; brought {
		d.barren = 0
	}
	if d.at != at {
		return // somebody else has seen it
	}
	for range d.ways {
		d.at = (d.at + 1) % len(d.ways)
		if !brought || d.ways[d.at].transfer == d.ways[at].transfer {
			return
		}
	}
}

// ofTheWay tells whether another way may do where this one failed with err. Where the cluster answers, or its API
// server does not run, none will.
func ofTheWay(err error) bool {
	var status apierrors.APIStatus
	var exit exec.CodeExitError
	switch {
	case errors.As(err, &status):
		return apierrors.IsForbidden(err)
	case errors.As(err, &exit), errors.Is(err, syscall.ECONNREFUSED):
		return false
	}
	return true
}

func (d *Dialer) open(ctx context.Context, w way) (net.Conn, error) {
	c, err := d.connect(ctx, w)
	if err != nil || w.transfer != Attach {
		return c, err
	}
	return attach.Connect(ctx, c)
}

func (d *Dialer) connect(ctx context.Context, w way) (net.Conn, error) {
	executor, err := w.executor(d.config, d.ref, d.command)
	if err != nil {
		return nil, fmt.Errorf("%s in %s: %w", w.transfer, d.ref, err)
	}
	return connect(ctx, executor, d.ref, w.transfer)
}

// watched tells its dialer how it ends.
type watched struct {
	net.Conn
	dialer *Dialer
	at     int

	mu      sync.Mutex
	brought bool // something
	ended   bool
}

func (c *watched) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.brought = c.brought || n > 0
	if err != nil && !c.ended && !errors.Is(err, io.ErrClosedPipe) && !isTimeout(err) {
		c.ended = true
		if ofTheWay(err) {
			c.dialer.failed(c.at, c.brought)
		}
	}
	return n, err
}

// Window is how many bytes may be on their way at once. What a container wrote for an attached client that is gone is
// read by the next, before its own, and until somebody reads it nobody can be answered.
func (c *watched) Window() int {
	if c.dialer.ways[c.at].transfer == Attach {
		return 8 << 10
	}
	return 1 << 20
}

// Close ends the connection. One that nothing came through, whatever it was waited for, has failed.
func (c *watched) Close() error {
	c.mu.Lock()
	if !c.ended && !c.brought {
		c.dialer.failed(c.at, false)
	}
	c.ended = true
	c.mu.Unlock()
	return c.Conn.Close()
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
