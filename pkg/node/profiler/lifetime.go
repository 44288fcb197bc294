//go:build linux

package profiler

import (
	"context"
	"fmt"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// lifetime decides when a serving profiler exits.
type lifetime struct {
	deadline time.Time     // latest time to exit
	keep     time.Duration // how long to wait for another client after the last; 0 for not at all
	captures captures

	connections chan connectionChange
	exit        chan bool // a client's request to exit, with its force parameter
	exiting     chan bool // the answer to exit: whether the profiler exits
}

// captures are the captures of all clients; server.Handler implements it.
type captures interface {
	// Unfetched reports whether there are captures, running or finished, whose result no client has received.
	Unfetched() (running, finished bool)
	// Abandon stops all captures and drops their results.
	Abandon()
}

// How long to wait for a client.
const (
	firstConnectionWait = 30 * time.Second // for the first client
	satisfiedWait       = 5 * time.Second  // for a client that has received all it requested
	// samplingWait is for a client whose connection was closed during sampling. A plugin that was killed looks the same as a
	// load balancer that closed an idle connection.
	samplingWait = 12 * time.Second
)

func newLifetime(deadline time.Time, keep time.Duration, c captures) *lifetime {
	return &lifetime{
		deadline: deadline, keep: keep, captures: c,
		connections: make(chan connectionChange), exit: make(chan bool), exiting: make(chan bool),
	}
}

// run returns when the profiler is to exit. The error is nil for a planned exit.
func (l *lifetime) run(ctx context.Context) error {
	deadline := time.NewTimer(time.Until(l.deadline))
	defer deadline.Stop()
	noClient := time.NewTimer(max(firstConnectionWait, l.keep))
	defer noClient.Stop()
	open := 0         // connections
	idle := true      // waiting for the first client, or within keep for another one
	extended := false // the wait for a client that left was extended because its capture has finished
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-deadline.C:
			return deadlineError(l.deadline)
		case change := <-l.connections:
			open += change.delta
			noClient.Stop()
			if open == 0 {
				wait := l.reconnectionWait(change.silent)
				idle, extended = false, wait == api.UnattendedTime
				noClient.Reset(wait)
			}
		case <-noClient.C:
			if _, finished := l.captures.Unfetched(); finished && !idle && !extended {
				extended = true
				noClient.Reset(api.UnattendedTime)
				continue
			}
			l.captures.Abandon()
			if idle || l.keep == 0 {
				return nil
			}
			idle = true
			noClient.Reset(l.keep)
		case force := <-l.exit:
			exiting := force || l.keep == 0
			l.exiting <- exiting
			if exiting {
				return nil
			}
		}
	}
}

// reconnectionWait returns how long to wait for a client after the last connection ended. A client that became silent may be on
// a machine that is asleep.
func (l *lifetime) reconnectionWait(silent bool) time.Duration {
	switch running, finished := l.captures.Unfetched(); {
	case finished, silent:
		return api.UnattendedTime
	case running:
		return samplingWait
	}
	return satisfiedWait
}

// requestExit returns a function that asks the profiler to exit and reports whether it does.
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

func deadlineError(deadline time.Time) error {
	return fmt.Errorf("the deadline of this profiler passed at %s", deadline.UTC().Format(time.RFC3339))
}
