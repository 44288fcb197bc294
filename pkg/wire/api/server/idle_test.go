package server_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/client"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/internal/apitest"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/server"
)

// A connection without data for longer than all time limits stays open: pings are answered.
func TestIdleConnectionStaysOpen(t *testing.T) {
	t.Parallel()
	_, dial := apitest.Serve(t, &apitest.Capturer{Functions: 1}, nil)
	dials := 0
	c := client.New(func(ctx context.Context) (net.Conn, error) { dials++; return dial(ctx) })
	defer c.Close()
	d := api.PingInterval + server.PingTimeout + 2*time.Second
	if _, err := c.Profile(t.Context(), api.Request{Type: api.CPU, Duration: d, Frequency: 99}); err != nil || dials != 1 {
		t.Errorf("got %v after %d dials, want one", err, dials)
	}
}

// A client that vanished without a word is given up, so that the profiler can end.
func TestSilentClientIsGivenUp(t *testing.T) {
	t.Parallel()
	_, dial := apitest.Serve(t, &apitest.Capturer{}, nil)
	conn, err := dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// The client's preface and an empty SETTINGS frame (RFC 9113, section 3.4), and then nothing.
	if _, err := io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"); err != nil {
		t.Fatal(err)
	}
	conn.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := io.Copy(io.Discard, conn); isTimeout(err) {
		t.Errorf("the server still held the connection: %v", err)
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}
