package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/internal/apitest"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/server"
	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

// FuzzClient answers a client with arbitrary data. A profile that the client accepts as complete must be the one that was sent.
func FuzzClient(f *testing.F) {
	var p bytes.Buffer
	if err := apitest.Profile(3).Write(&p); err != nil {
		f.Fatal(err)
	}
	f.Add(200, api.FormatDigest(sha256.Sum256(p.Bytes())), p.Bytes())
	f.Add(200, api.FormatDigest(sha256.Sum256(nil)), []byte(nil))
	f.Add(206, "", []byte(`{"state":"done"}`))
	f.Add(404, "", []byte(`{"error":"\u001b[2J","reason":"x"}`))
	f.Add(200, "", []byte("{\"state\":\"failed\"}\n{\"elapsedMs\":1e99}\n"))
	f.Fuzz(func(t *testing.T, status int, digest string, body []byte) {
		fuzzbudget.Enforce(t)
		if status < 200 || status > 599 || strings.ContainsAny(digest, "\r\n\x00") {
			return
		}
		server := server.New(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Repr-Digest", digest)
			w.WriteHeader(status)
			w.Write(body)
		}))
		defer server.Close()
		l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
		go server.Serve(l)
		c := New(l.dial)
		defer c.Close()
		c.Broken = func(context.Context, error) bool { return true }
		c.pause = time.Microsecond
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, _ = c.Version(ctx)
		_ = c.Progress(ctx, "x", func(api.Progress) {})
		_ = c.Slices(ctx, "x", func([]byte) error { cancel(); return nil })
		if _, err := c.Profile(t.Context(), api.Request{Type: api.CPU, Duration: time.Second, Frequency: 99, Capture: "x"}); err == nil &&
			digest != api.FormatDigest(sha256.Sum256(body)) {
			t.Fatalf("status %d and %d bytes with digest %q were taken for a profile", status, len(body), digest)
		}
	})
}

// pipeListener makes connections in memory.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) dial(context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error { close(l.closed); return nil }

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }
