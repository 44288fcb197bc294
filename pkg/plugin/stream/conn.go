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

// closeGrace is how long Close waits for the command to exit after the end of its stdin, before it
// breaks the stream. A command that takes longer exits after that, unobserved.
const closeGrace = 50 * time.Millisecond

// conn is one end of a pipe whose other end is the command's stdin and stdout. A pipe has deadlines,
// which the executor's streams do not have.
type conn struct {
	net.Conn
	name   string // for errors
	stderr tail
	cancel context.CancelFunc // breaks the stream
	ended  chan struct{}      // closed when the executor has returned err
	err    error
}

// startConn starts the executor and waits until it reads the command's stdin, which it does once all
// streams are established. Cancelling ctx later does not end the connection.
func startConn(ctx context.Context, executor remotecommand.Executor, ref Ref, transfer Transfer) (net.Conn, error) {
	local, remote := net.Pipe()
	streamCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c := &conn{Conn: local, name: fmt.Sprintf("%s in %s", transfer, ref), cancel: cancel, ended: make(chan struct{})}
	stdin := &stdinReader{r: remote, reading: make(chan struct{})}
	go func() {
		defer close(c.ended)
		defer remote.Close()
		options := remotecommand.StreamOptions{Stdin: stdin, Stdout: stdoutWriter{remote}}
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
		return nil, c.endError()
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
		err = c.endError()
	}
	return n, err
}

// endError returns why the stream ended: io.EOF if the command succeeded.
func (c *conn) endError() error {
	stderr := c.stderr.String()
	switch {
	case c.err == nil && stderr == "":
		return io.EOF
	case c.err == nil:
		return fmt.Errorf("%s ended: %s", c.name, stderr)
	case stderr == "":
		return fmt.Errorf("%s: %w", c.name, c.err)
	}
	return fmt.Errorf("%s: %s (%w)", c.name, stderr, c.err)
}

// Close ends both directions and returns when the executor has returned.
func (c *conn) Close() error {
	c.Conn.Close()
	select {
	case <-c.ended:
	case <-time.After(closeGrace):
	}
	c.cancel()
	<-c.ended
	return nil
}

// stdinReader closes reading when it is first read. It reports every error as the end of the input,
// because client-go logs other errors.
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

// stdoutWriter discards output after the pipe was closed, because client-go logs errors of writes.
type stdoutWriter struct{ w io.Writer }

func (s stdoutWriter) Write(p []byte) (int, error) {
	s.w.Write(p)
	return len(p), nil
}

// tail keeps the last maxTail bytes written to it. Writes never block: client-go serves all streams of
// a WebSocket from one loop, so stdout would stop if stderr were not read.
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
