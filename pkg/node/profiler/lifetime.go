//go:build linux

package profiler

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// lifetime decides when a serving profiler ends: nothing of ours outlives its purpose.
type lifetime struct {
	deadline time.Time     // whatever happens
	keep     time.Duration // how long to wait for the next client after the last one; 0 means not to

	captures // of the clients

	connections chan connectionChange
	exit        chan bool // force
	exiting     chan bool // answers exit
}

// captures are what a server.Handler has.
type captures interface {
	Wanted() (running, finished bool)
	Abandon()
}

// connectionChange is the beginning or the end of a connection.
type connectionChange struct {
	open   int  // +1 or -1
	silent bool // it ended because the client did not answer any more
}

// How long to wait for a client.
const (
	firstConnection = 30 * time.Second // for the first one
	lastWords       = 5 * time.Second  // for one that has got all it asked for
	// reconnection is for one whose connection was closed while sampling goes on: that is what we see of a plugin
	// that was killed, as well as of a load balancer that lost patience.
	reconnection = 12 * time.Second
)

func newLifetime(deadline time.Time, keep time.Duration, c captures) *lifetime {
	return &lifetime{
		deadline: deadline, keep: keep, captures: c,
		connections: make(chan connectionChange), exit: make(chan bool), exiting: make(chan bool),
	}
}

// patience is how long to wait for a client when there is none any more. One that fell silent may be on a machine
// that is asleep.
func (l *lifetime) patience(silent bool) time.Duration {
	switch running, finished := l.Wanted(); {
	case finished, silent:
		return api.UnattendedTime
	case running:
		return reconnection
	}
	return lastWords
}

// connState counts connections; it is the server's hook.
func (l *lifetime) connState(ctx context.Context) func(net.Conn, http.ConnState) {
	return func(c net.Conn, s http.ConnState) {
		change := connectionChange{}
		switch s {
		case http.StateNew:
			change.open = 1
		case http.StateClosed, http.StateHijacked:
			change.open = -1
			peer, ok := c.(*clientConn)
			change.silent = ok && !peer.ended.Load()
		default:
			return
		}
		select {
		case l.connections <- change:
		case <-ctx.Done():
		}
	}
}

// clientConn remembers whether it was the client that ended it.
type clientConn struct {
	net.Conn
	ended atomic.Bool
}

func (c *clientConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.ended.Store(true)
	}
	return n, err
}

// clientListener makes clientConns.
type clientListener struct{ net.Listener }

func (l clientListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &clientConn{Conn: c}, nil
}

// requestExit handles a client's wish that the profiler ends, and tells whether it does.
func (l *lifetime) requestExit(ctx context.Context) func(force bool) bool {
	return func(force bool) bool {
		select {
		case l.exit <- force:
			return <-l.exiting
		case <-ctx.Done():
			return true
		}
	}
}

// run returns when the profiler is to end: nil when that is as planned, else the reason.
func (l *lifetime) run(ctx context.Context) error {
	deadline := time.NewTimer(time.Until(l.deadline))
	defer deadline.Stop()
	alone := time.NewTimer(max(firstConnection, l.keep))
	defer alone.Stop()
	// waiting: for the first client or, within keep, for the next; extended: for one that may want a result that
	// was not finished when it left.
	open, waiting, extended := 0, true, false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-deadline.C:
			return errDeadline(l.deadline)
		case change := <-l.connections:
			open += change.open
			alone.Stop()
			if open == 0 {
				patience := l.patience(change.silent)
				waiting, extended = false, patience == api.UnattendedTime
				alone.Reset(patience)
			}
		case <-alone.C:
			if _, finished := l.Wanted(); finished && !waiting && !extended {
				extended = true
				alone.Reset(api.UnattendedTime)
				continue
			}
			l.Abandon()
			if waiting || l.keep == 0 {
				return nil
			}
			waiting = true
			alone.Reset(l.keep)
		case force := <-l.exit:
			exiting := force || l.keep == 0
			l.exiting <- exiting
			if exiting {
				return nil
			}
		}
	}
}

func errDeadline(t time.Time) error {
	return fmt.Errorf("the deadline of this profiler passed at %s", t.UTC().Format(time.RFC3339))
}
