package stream

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/remotecommand"
)

// fakeExecutor runs a function in place of the command.
type fakeExecutor func(ctx context.Context, o remotecommand.StreamOptions) error

func (f fakeExecutor) Stream(o remotecommand.StreamOptions) error {
	return f(context.Background(), o)
}

func (f fakeExecutor) StreamWithContext(ctx context.Context, o remotecommand.StreamOptions) error {
	return f(ctx, o)
}

var testRef = Ref{Namespace: "ns", Pod: "web", Container: "prof"}

// cat copies stdin to stdout.
func cat(_ context.Context, o remotecommand.StreamOptions) error {
	_, err := io.Copy(o.Stdout, o.Stdin)
	return err
}

func TestBothDirections(t *testing.T) {
	c, err := startConn(t.Context(), fakeExecutor(cat), testRef, Exec)
	if err != nil {
		t.Fatal(err)
	}
	go c.Write([]byte("hello"))
	got := make([]byte, 5)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.Read(got); err == nil {
		t.Error("reading after Close succeeded")
	}
}

func TestReadErrors(t *testing.T) {
	refused := errors.New("command terminated with exit code 1")
	for name, tc := range map[string]struct {
		stderr string
		err    error
		want   string
	}{
		"success":                 {"", nil, "EOF"},
		"error":                   {"", refused, `exec in container "prof" of pod ns/web: command terminated with exit code 1`},
		"stderr":                  {"nothing listens\n", refused, `exec in container "prof" of pod ns/web: nothing listens (command terminated with exit code 1)`},
		"stderr without an error": {"nothing listens\n", nil, `exec in container "prof" of pod ns/web ended: nothing listens`},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := startConn(t.Context(), fakeExecutor(func(_ context.Context, o remotecommand.StreamOptions) error {
				o.Stdin.Read(make([]byte, 1))
				io.WriteString(o.Stderr, tc.stderr)
				return tc.err
			}), testRef, Exec)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.Write([]byte("x"))
			_, err = c.Read(make([]byte, 1))
			if err == nil || err.Error() != tc.want || tc.err != nil && !errors.Is(err, tc.err) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

func TestErrorBeforeTheStreamIsEstablished(t *testing.T) {
	forbidden := errors.New("pods/exec is forbidden")
	_, err := startConn(t.Context(), fakeExecutor(func(context.Context, remotecommand.StreamOptions) error { return forbidden }), testRef, Exec)
	if !errors.Is(err, forbidden) {
		t.Errorf("got %v", err)
	}
}

func TestContextBoundsOnlyConnecting(t *testing.T) {
	hang := fakeExecutor(func(ctx context.Context, _ remotecommand.StreamOptions) error {
		<-ctx.Done()
		return ctx.Err()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := startConn(ctx, hang, testRef, Exec); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}

	ctx, cancel = context.WithCancel(t.Context())
	c, err := startConn(ctx, fakeExecutor(cat), testRef, Exec)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cancel()
	go c.Write([]byte("x"))
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Errorf("after the context was cancelled: %v", err)
	}
}

func TestDeadline(t *testing.T) {
	c, err := startConn(t.Context(), fakeExecutor(cat), testRef, Exec)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// Close breaks a stream whose command does not exit at the end of its stdin.
func TestCloseWaitsForTheExecutor(t *testing.T) {
	returned := false
	c, err := startConn(t.Context(), fakeExecutor(func(ctx context.Context, o remotecommand.StreamOptions) error {
		o.Stdin.Read(make([]byte, 1))
		<-ctx.Done()
		returned = true
		return ctx.Err()
	}), testRef, Exec)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if !returned {
		t.Error("Close returned before the executor did")
	}
}

func TestStderrIsBounded(t *testing.T) {
	var b tail
	for range 100 {
		io.WriteString(&b, strings.Repeat("x", 100))
	}
	io.WriteString(&b, "the end")
	if s := b.String(); len(s) != maxTail || !strings.HasSuffix(s, "the end") {
		t.Errorf("kept %d bytes: %q", len(s), s)
	}
}
