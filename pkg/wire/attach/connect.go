package attach

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

const (
	// patience is how long to wait for an answer before calling again, doubled each time. Answers get lost: container
	// runtimes pass stdin on before they have somebody to pass stdout to (containerd, internal/cri/io/container_io.go).
	patience = 200 * time.Millisecond
	// partingTime is how long Close tries to tell the container.
	partingTime = 250 * time.Millisecond
)

// Connect calls the listener at the other end of an attached stream and returns when it has answered. It owns the
// stream, and closes it when it fails.
func Connect(ctx context.Context, stream net.Conn) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { stream.SetDeadline(time.Unix(1, 0)) })
	rest, err := connect(ctx, stream)
	if !stop() {
		err = ctx.Err()
	}
	stream.SetDeadline(time.Time{})
	if err != nil {
		stream.Close()
		return nil, fmt.Errorf("the profiler did not answer on the attached stream: %w", err)
	}
	return &conn{Conn: stream, rest: rest}, nil
}

// connect returns what came behind the answer.
func connect(ctx context.Context, stream net.Conn) (rest []byte, err error) {
	for wait := patience; ctx.Err() == nil; wait *= 2 {
		n := newNonce() // an answer to the call before would be of a connection that this one ends
		if _, err := stream.Write(n.call()); err != nil {
			return nil, err
		}
		stream.SetReadDeadline(time.Now().Add(wait))
		rest, err = answered(stream, n.answer())
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
	}
	return rest, err
}

// answered passes over all that comes before the answer.
func answered(stream net.Conn, want []byte) (rest []byte, err error) {
	var held []byte
	buf := make([]byte, 32<<10)
	for {
		got, err := stream.Read(buf)
		held = append(held, buf[:got]...)
		if at := bytes.Index(held, want); at >= 0 {
			return bytes.Clone(held[at+len(want):]), nil
		}
		if err != nil {
			return nil, err
		}
		held = append(held[:0], held[max(0, len(held)-len(want)+1):]...)
	}
}

type conn struct {
	net.Conn
	rest []byte // read already
}

func (c *conn) Read(p []byte) (int, error) {
	if len(c.rest) > 0 {
		n := copy(p, c.rest)
		c.rest = c.rest[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// Close tells the container, which sees nothing of an attached stream's end.
func (c *conn) Close() error {
	c.SetWriteDeadline(time.Now().Add(partingTime))
	c.Write(nonce{}.call()) // an error means that the stream is broken
	return c.Conn.Close()
}
