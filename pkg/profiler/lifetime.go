package profiler

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// lifetime decides when a serving profiler ends: nothing of ours outlives its purpose.
type lifetime struct {
	deadline time.Time     // whatever happens
	keep     time.Duration // how long to wait for the next client after the last one; 0 means not to

	firstConnection time.Duration // how long to wait for the first client
	grace           time.Duration // how long a client has to come back whose connection broke

	abandon func() // called when the last client has gone for good

	connections chan int  // +1 and -1
	exit        chan bool // force
	exiting     chan bool // answers exit
}

func newLifetime(deadline time.Time, keep time.Duration, abandon func()) *lifetime {
	return &lifetime{
		deadline: deadline, keep: keep, abandon: abandon,
		firstConnection: 30 * time.Second, grace: 5 * time.Second,
		connections: make(chan int), exit: make(chan bool), exiting: make(chan bool),
	}
}

// connState counts connections; it is the server's hook.
func (l *lifetime) connState(ctx context.Context) func(net.Conn, http.ConnState) {
	return func(_ net.Conn, s http.ConnState) {
		change := 0
		switch s {
		case http.StateNew:
			change = 1
		case http.StateClosed, http.StateHijacked:
			change = -1
		default:
			return
		}
		select {
		case l.connections <- change:
		case <-ctx.Done():
		}
	}
}

// requestExit handles a client's wish that the profiler ends, and tells whether it does.
func (l *lifetime) requestExit(ctx context.Context) func(force bool) bool {
	return func(force bool) bool {
		select {
		case l.exit <- force:
			return <-l.exiting
		case <-ctx.Done():
			return true
		}
	}
}

// run returns when the profiler is to end: nil when that is as planned, else the reason.
func (l *lifetime) run(ctx context.Context) error {
	deadline := time.NewTimer(time.Until(l.deadline))
	defer deadline.Stop()
	alone := time.NewTimer(max(l.firstConnection, l.keep))
	defer alone.Stop()
	open, waiting := 0, true // waiting: for the first client or, within keep, for the next
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-deadline.C:
			return errDeadline(l.deadline)
		case change := <-l.connections:
			open += change
			alone.Stop()
			if open == 0 {
				waiting = false
				alone.Reset(l.grace)
			}
		case <-alone.C:
			l.abandon()
			if waiting || l.keep == 0 {
				return nil
			}
			waiting = true
			alone.Reset(l.keep)
		case force := <-l.exit:
			exiting := force || l.keep == 0
			l.exiting <- exiting
			if exiting {
				return nil
			}
		}
	}
}

func errDeadline(t time.Time) error {
	return fmt.Errorf("the deadline of this profiler passed at %s", t.UTC().Format(time.RFC3339))
}
