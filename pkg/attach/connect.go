package attach

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"time"
)

// partingTime is how long Close tries to tell the container.
const partingTime = 250 * time.Millisecond

// Connect calls the listener at the other end of an attached stream and returns when it has answered. It owns the
// stream, and closes it when it fails.
func Connect(ctx context.Context, stream net.Conn) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { stream.SetDeadline(time.Unix(1, 0)) })
	rest, err := connect(stream)
	if !stop() {
		err = ctx.Err()
	}
	if err != nil {
		stream.Close()
		return nil, fmt.Errorf("the profiler did not answer on the attached stream: %w", err)
	}
	return &conn{Conn: stream, rest: rest}, nil
}

// connect returns what came behind the answer.
func connect(stream net.Conn) (rest []byte, err error) {
	n := newNonce()
	if _, err := stream.Write(n.call()); err != nil {
		return nil, err
	}
	want := n.answer()
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
