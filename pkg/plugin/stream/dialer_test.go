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

func TestWays(t *testing.T) {
	ws, spdy := way{Exec, true}, way{Exec, false}
	if got := ways([]Transfer{Exec, Logs}); !slices.Equal(got, []way{ws, spdy}) {
		t.Errorf("exec and logs: %v", got)
	}
	t.Setenv("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", "false")
	if got := ways(Transfers()); !slices.Equal(got, []way{spdy, {Attach, false}}) {
		t.Errorf("without WebSockets: %v", got)
	}
}

func TestTheNextWay(t *testing.T) {
	for name, tc := range map[string]struct {
		brought []bool // by each connection that broke
		want    way
	}{
		"a WebSocket broke":             {[]bool{true}, way{Exec, false}},
		"SPDY after it":                 {[]bool{true, true}, way{Exec, true}},
		"a WebSocket brought nothing":   {[]bool{false}, way{Exec, false}},
		"neither protocol brought":      {[]bool{false, false}, way{Attach, true}},
		"nothing did":                   {[]bool{false, false, false, false}, way{Exec, true}},
		"what brought something stands": {[]bool{false, false, true, true, true}, way{Attach, false}},
	} {
		t.Run(name, func(t *testing.T) {
			d := NewDialer(nil, testRef, []Transfer{Exec, Attach})
			for _, brought := range tc.brought {
				d.failed(d.at, brought)
			}
			if got := d.ways[d.at]; got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestExhausted(t *testing.T) {
	d := NewDialer(nil, testRef, []Transfer{Exec})
	for _, brought := range []bool{false, false, true, false, false, false} {
		d.failed(d.at, brought)
		if d.Exhausted() {
			t.Fatal("given up too early")
		}
	}
	if d.failed(d.at, false); !d.Exhausted() {
		t.Error("each of two ways brought nothing twice, and there is still hope")
	}
}

func TestWhatAnotherWayMayMend(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	for name, tc := range map[string]struct {
		err  error
		want bool
	}{
		"a policy forbids this subresource": {apierrors.NewForbidden(pods, "web", errors.New("no exec here")), true},
		"there is no such pod":              {apierrors.NewNotFound(pods, "web"), false},
		"the command failed":                {exec.CodeExitError{Err: errors.New("exit code 1"), Code: 1}, false},
		"the API server does not run":       {&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, false},
		"the stream was reset":              {&net.OpError{Op: "read", Err: syscall.ECONNRESET}, true},
		"a proxy knows no upgrade":          {errors.New("unable to upgrade connection: <html>"), true},
		"it ended without a word":           {io.EOF, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ofTheWay(fmt.Errorf("wrapped: %w", tc.err)); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// A connection is counted once, however often its end is seen.
func TestWatched(t *testing.T) {
	for name, tc := range map[string]struct {
		use    func(ours, theirs net.Conn)
		barren int
	}{
		"ended by us":               {func(ours, theirs net.Conn) { go theirs.Write([]byte("x")); ours.Read(make([]byte, 1)); ours.Close() }, 0},
		"ended by us, nothing came": {func(ours, _ net.Conn) { ours.Close(); ours.Close() }, 1},
		"broken":                    {func(ours, theirs net.Conn) { theirs.Close(); ours.Read(make([]byte, 1)); ours.Close() }, 1},
		"broken after something has come": {func(ours, theirs net.Conn) {
			go theirs.Write([]byte("x"))
			ours.Read(make([]byte, 1))
			theirs.Close()
			ours.Read(make([]byte, 1))
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			d := NewDialer(nil, testRef, []Transfer{Exec})
			ours, theirs := net.Pipe()
			tc.use(&watched{Conn: ours, dialer: d}, theirs)
			if d.barren != tc.barren {
				t.Errorf("%d connections brought nothing, want %d", d.barren, tc.barren)
			}
		})
	}
}
