package attach

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

// FuzzConnect sends what is not an answer: other bytes, the client's own call, and both in pieces. Connect must not take it for one.
func FuzzConnect(f *testing.F) {
	f.Add([]byte("noise"), uint8(1))
	f.Add([]byte(answer), uint8(16))
	f.Add([]byte(answer+call), uint8(3))
	f.Fuzz(func(t *testing.T, noise []byte, step uint8) {
		fuzzbudget.Enforce(t)
		ours, theirs := net.Pipe()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer theirs.Close()
			received := make([]byte, 4096)
			n, err := theirs.Read(received)
			if err != nil {
				return
			}
			theirs.Write(noise)
			theirs.Write(received[:n])
			for rest := noise; len(rest) > 0; {
				n := min(int(step)+1, len(rest))
				if _, err := theirs.Write(rest[:n]); err != nil {
					return
				}
				rest = rest[n:]
			}
		}()
		if c, err := Connect(ctx, ours); err == nil {
			c.Close()
			t.Error("connected without an answer")
		}
		<-done
	})
}
