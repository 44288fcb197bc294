package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/tools/remotecommand"
)

// partingTime is how long Close lets the command end by itself, which it does when its stdin ends.
const partingTime = 250 * time.Millisecond

// conn is our end of a pipe whose other end is the command's stdin and stdout. The pipe gives us
// deadlines, which the executor's streams do not have.
type conn struct {
	net.Conn
	name   string // for errors
	stderr tail
	cancel context.CancelFunc // breaks the stream
	ended  chan struct{}      // closed when the executor has returned err
	err    error
}

// connect starts the executor and waits until it reads the command's stdin, which it does when
// all streams are there.
func connect(ctx context.Context, executor remotecommand.Executor, ref Ref, transfer Transfer) (net.Conn, error) {
	ours, theirs := net.Pipe()
	streamCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c := &conn{Conn: ours, name: fmt.Sprintf("%s in %s", transfer, ref), cancel: cancel, ended: make(chan struct{})}
	stdin := &stdinReader{r: theirs, reading: make(chan struct{})}
	go func() {
		defer close(c.ended)
		defer theirs.Close()
		options := remotecommand.StreamOptions{Stdin: stdin, Stdout: stdoutWriter{theirs}}
		if transfer == Exec {
			options.Stderr = &c.stderr
		}
		c.err = executor.StreamWithContext(streamCtx, options)
	}()
	select {
	case <-stdin.reading:
		return c, nil
	case <-c.ended:
		cancel()
		return nil, c.reason()
	case <-ctx.Done():
		cancel()
		<-c.ended
		return nil, fmt.Errorf("%s: %w", c.name, ctx.Err())
	}
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if errors.Is(err, io.EOF) {
		<-c.ended // the pipe's other end closes when the executor returns
		err = c.reason()
	}
	return n, err
}

// reason tells why the stream ended: io.EOF if the command succeeded.
func (c *conn) reason() error {
	said := c.stderr.String()
	switch {
	case c.err == nil && said == "":
		return io.EOF
	case c.err == nil:
		return fmt.Errorf("%s ended: %s", c.name, said)
	case said == "":
		return fmt.Errorf("%s: %w", c.name, c.err)
	}
	return fmt.Errorf("%s: %s (%w)", c.name, said, c.err)
}

// Close ends both directions and returns when nothing of the stream is left running.
func (c *conn) Close() error {
	c.Conn.Close()
	select {
	case <-c.ended:
	case <-time.After(partingTime):
	}
	c.cancel()
	<-c.ended
	return nil
}

// stdinReader tells when it is read first. Its end is never an error: client-go would log it.
type stdinReader struct {
	r       io.Reader
	once    sync.Once
	reading chan struct{}
}

func (s *stdinReader) Read(p []byte) (int, error) {
	s.once.Do(func() { close(s.reading) })
	n, err := s.r.Read(p)
	if err != nil {
		err = io.EOF
	}
	return n, err
}

// stdoutWriter drops what comes after the pipe was closed, for the same reason.
type stdoutWriter struct{ w io.Writer }

func (s stdoutWriter) Write(p []byte) (int, error) {
	s.w.Write(p)
	return len(p), nil
}

// tail keeps the last maxTail bytes written and never blocks: client-go feeds all streams of a
// WebSocket from one loop, so that an unread stderr would stop stdout.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const maxTail = 2 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if n := len(t.buf) - maxTail; n > 0 {
		t.buf = append(t.buf[:0], t.buf[n:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.buf))
}
