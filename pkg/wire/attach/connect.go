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
	// answerTimeout is how long to wait for an answer before calling again, doubled each time. Answers get lost: container runtimes
	// forward stdin before they have attached stdout (containerd, internal/cri/io/container_io.go).
	answerTimeout = 200 * time.Millisecond
	// closeTimeout is how long Close tries to notify the container.
	closeTimeout = 250 * time.Millisecond
)

// Connect calls the listener at the other end of an attached stream and returns a connection when it has answered. Connect owns the
// stream and closes it on failure.
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

// connect returns the bytes received after the answer.
func connect(ctx context.Context, stream net.Conn) (rest []byte, err error) {
	for wait := answerTimeout; ctx.Err() == nil; wait *= 2 {
		n := newNonce() // each call ends the connection of the call before
		if _, err := stream.Write(n.call()); err != nil {
			return nil, err
		}
		stream.SetReadDeadline(time.Now().Add(wait))
		rest, err = awaitAnswer(stream, n.answer())
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
	}
	return rest, err
}

// awaitAnswer discards everything up to the answer and returns the bytes received after it.
func awaitAnswer(stream net.Conn, want []byte) (rest []byte, err error) {
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
	rest []byte // received after the answer and not read yet
}

func (c *conn) Read(p []byte) (int, error) {
	if len(c.rest) > 0 {
		n := copy(p, c.rest)
		c.rest = c.rest[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// Close also notifies the container, which does not notice the end of an attached stream.
func (c *conn) Close() error {
	c.SetWriteDeadline(time.Now().Add(closeTimeout))
	c.Write(nonce{}.call()) // on an error, the stream is broken
	return c.Conn.Close()
}
