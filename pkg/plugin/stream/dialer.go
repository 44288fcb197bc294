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

// Dialer opens connections to one container. It remembers which routes have failed, and uses another
// one for the next connection. Its methods may be called by several goroutines at once.
type Dialer struct {
	config  *rest.Config
	ref     Ref
	command []string
	routes  []route

	mu       sync.Mutex
	next     int // index of the route of the next connection
	failures int // successive connections that received nothing
}

// NewDialer returns a dialer that uses the given transfers. exec runs the command.
func NewDialer(config *rest.Config, ref Ref, transfers []Transfer, command ...string) *Dialer {
	return &Dialer{config: config, ref: ref, command: command, routes: routes(transfers)}
}

// Dial returns when a connection is established. Errors wrap those of the API server. Cancelling ctx
// later does not end the connection. What exec's command writes to stderr becomes part of read errors.
func (d *Dialer) Dial(ctx context.Context) (net.Conn, error) {
	if len(d.routes) == 0 {
		return nil, fmt.Errorf("%s can be reached only through its log: requests need pods/exec or pods/attach", d.ref)
	}
	for tried := 1; ; tried++ {
		index := d.nextRoute()
		c, err := d.open(ctx, d.routes[index])
		if err == nil {
			return &trackedConn{Conn: c, dialer: d, route: index}, nil
		}
		if !routeFailed(err) {
			return nil, err
		}
		d.markFailed(index, false)
		if tried == len(d.routes) || ctx.Err() != nil {
			return nil, err
		}
	}
}

// Exhausted reports whether every route has been tried twice since anything was last received.
func (d *Dialer) Exhausted() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failures >= 2*len(d.routes)
}

func (d *Dialer) nextRoute() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.next
}

// markFailed chooses the route that follows one whose connection broke. If that connection received
// something, it is the other protocol of the same transfer, so that SPDY replaces a WebSocket that a
// proxy closes again and again.
func (d *Dialer) markFailed(index int, received bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failures++; received {
		d.failures = 0
	}
	if d.next != index {
		return // another connection has marked it
	}
	for range d.routes {
		d.next = (d.next + 1) % len(d.routes)
		if !received || d.routes[d.next].transfer == d.routes[index].transfer {
			return
		}
	}
}

// routeFailed reports whether another route may work after one failed with err. None will if the
// API server or the command reported the error, or the API server does not run.
func routeFailed(err error) bool {
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

// open opens a connection by a route.
func (d *Dialer) open(ctx context.Context, r route) (net.Conn, error) {
	executor, err := r.executor(d.config, d.ref, d.command)
	if err != nil {
		return nil, fmt.Errorf("%s in %s: %w", r.transfer, d.ref, err)
	}
	c, err := startConn(ctx, executor, d.ref, r.transfer)
	if err != nil || r.transfer != Attach {
		return c, err
	}
	return attach.Connect(ctx, c)
}

// trackedConn reports its end to its dialer, once.
type trackedConn struct {
	net.Conn
	dialer *Dialer
	route  int // index in the dialer's routes

	mu       sync.Mutex
	received bool // at least one byte
	ended    bool
}

func (c *trackedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.received = c.received || n > 0
	if err != nil && !c.ended && !errors.Is(err, io.ErrClosedPipe) && !isTimeout(err) {
		c.ended = true
		if routeFailed(err) {
			c.dialer.markFailed(c.route, c.received)
		}
	}
	return n, err
}

// Window returns how many bytes may be sent before the other end has read them. Over attach, output
// for a client that is gone is read by the next one before its own output, so it must be small.
func (c *trackedConn) Window() int {
	if c.dialer.routes[c.route].transfer == Attach {
		return 8 << 10
	}
	return 1 << 20
}

// Close closes the connection. It counts as failed if it has received nothing.
func (c *trackedConn) Close() error {
	c.mu.Lock()
	if !c.ended && !c.received {
		c.dialer.markFailed(c.route, false)
	}
	c.ended = true
	c.mu.Unlock()
	return c.Conn.Close()
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
