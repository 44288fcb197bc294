package stream

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"syscall"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/exec"
)

func TestRoutes(t *testing.T) {
	ws, spdy := route{Exec, true}, route{Exec, false}
	if got := routes([]Transfer{Exec, Logs}); !slices.Equal(got, []route{ws, spdy}) {
		t.Errorf("exec and logs: %v", got)
	}
	t.Setenv("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", "false")
	if got := routes(Transfers()); !slices.Equal(got, []route{spdy, {Attach, false}}) {
		t.Errorf("without WebSockets: %v", got)
	}
}

func TestNextRoute(t *testing.T) {
	for name, tc := range map[string]struct {
		received []bool // by each connection that broke
		want     route
	}{
		"WebSocket broke":                    {[]bool{true}, route{Exec, false}},
		"then SPDY broke":                    {[]bool{true, true}, route{Exec, true}},
		"WebSocket received nothing":         {[]bool{false}, route{Exec, false}},
		"neither protocol received anything": {[]bool{false, false}, route{Attach, true}},
		"no transfer received anything":      {[]bool{false, false, false, false}, route{Exec, true}},
		"keep the transfer that received":    {[]bool{false, false, true, true, true}, route{Attach, false}},
	} {
		t.Run(name, func(t *testing.T) {
			d := NewDialer(nil, testRef, []Transfer{Exec, Attach})
			for _, received := range tc.received {
				d.markFailed(d.next, received)
			}
			if got := d.routes[d.next]; got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestExhausted(t *testing.T) {
	d := NewDialer(nil, testRef, []Transfer{Exec})
	for _, received := range []bool{false, false, true, false, false, false} {
		d.markFailed(d.next, received)
		if d.Exhausted() {
			t.Fatal("exhausted too early")
		}
	}
	if d.markFailed(d.next, false); !d.Exhausted() {
		t.Error("not exhausted after each of two routes received nothing twice")
	}
}

func TestRouteFailed(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	for name, tc := range map[string]struct {
		err  error
		want bool
	}{
		"subresource forbidden":   {apierrors.NewForbidden(pods, "web", errors.New("no exec here")), true},
		"no such pod":             {apierrors.NewNotFound(pods, "web"), false},
		"command failed":          {exec.CodeExitError{Err: errors.New("exit code 1"), Code: 1}, false},
		"API server does not run": {&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, false},
		"stream reset":            {&net.OpError{Op: "read", Err: syscall.ECONNRESET}, true},
		"proxy without upgrades":  {errors.New("unable to upgrade connection: <html>"), true},
		"end without an error":    {io.EOF, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := routeFailed(fmt.Errorf("wrapped: %w", tc.err)); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// A connection is counted once, however often its end is noticed.
func TestTrackedConn(t *testing.T) {
	for name, tc := range map[string]struct {
		use      func(local, remote net.Conn)
		failures int
	}{
		"closed":                              {func(local, remote net.Conn) { go remote.Write([]byte("x")); local.Read(make([]byte, 1)); local.Close() }, 0},
		"closed before anything was received": {func(local, _ net.Conn) { local.Close(); local.Close() }, 1},
		"broken":                              {func(local, remote net.Conn) { remote.Close(); local.Read(make([]byte, 1)); local.Close() }, 1},
		"broken after something was received": {func(local, remote net.Conn) {
			go remote.Write([]byte("x"))
			local.Read(make([]byte, 1))
			remote.Close()
			local.Read(make([]byte, 1))
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			d := NewDialer(nil, testRef, []Transfer{Exec})
			local, remote := net.Pipe()
			tc.use(&trackedConn{Conn: local, dialer: d}, remote)
			if d.failures != tc.failures {
				t.Errorf("%d failures, want %d", d.failures, tc.failures)
			}
		})
	}
}
