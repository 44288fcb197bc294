//go:build linux

package profiler

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync/atomic"
)

// connectionChange is the start or the end of a connection.
type connectionChange struct {
	delta  int  // +1 or -1
	silent bool // the profiler closed the connection because the client no longer answered
}

// connState returns the server's ConnState hook, which reports connections to the lifetime.
func (l *lifetime) connState(ctx context.Context) func(net.Conn, http.ConnState) {
	return func(c net.Conn, s http.ConnState) {
		change := connectionChange{}
		switch s {
		case http.StateNew:
			change.delta = 1
		case http.StateClosed, http.StateHijacked:
			change.delta = -1
			peer, ok := c.(*clientConn)
			change.silent = ok && !peer.closedByClient.Load()
		default:
			return
		}
		select {
		case l.connections <- change:
		case <-ctx.Done():
		}
	}
}

// clientListener accepts connections as *clientConn.
type clientListener struct{ net.Listener }

func (l clientListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &clientConn{Conn: c}, nil
}

// clientConn records whether the client closed the connection.
type clientConn struct {
	net.Conn
	closedByClient atomic.Bool
}

func (c *clientConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.closedByClient.Store(true)
	}
	return n, err
}
