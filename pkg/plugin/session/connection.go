package session

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/access"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/launch"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/client"
)

// connection is the way to a profiler.
type connection struct {
	config    *rest.Config
	transfers []stream.Transfer // that may be used, the preferred one first
	ref       stream.Ref        // the profiler's container, once it is known
	client    *client.Client    // nil before the first answer, and if only the log can be read
	failure   error             // of the last attempt to send a request
}

// ready reports whether a profiler answers. It is called while the container starts. An exec that
// is established proves nothing: the API server establishes it before it asks the kubelet.
func (c *connection) ready(ctx context.Context, ref stream.Ref) bool {
	c.ref = ref
	if c.onlyLog() {
		return false
	}
	return c.try(ctx, c.dialer())
}

const connectInterval = 300 * time.Millisecond

// connect waits until the profiler answers. It returns an error if no stream carries any data, or
// if a kept profiler has ended. It returns nil as well if there is nothing to wait for, or the
// profiler's state cannot be read: the next step will report why.
func (c *connection) connect(ctx context.Context, running *launch.Profiler) error {
	c.ref = running.Ref
	if c.client != nil || c.onlyLog() {
		return nil
	}
	dialer := c.dialer()
	for !c.try(ctx, dialer) {
		if why, err := running.Ended(ctx); err != nil || why != "" {
			if running.Reused { // it was about to end when it was found
				return c.failure
			}
			break
		}
		if dialer.Exhausted() {
			return c.failure
		}
		select {
		case <-time.After(connectInterval):
		case <-ctx.Done():
			return nil
		}
	}
	if c.client == nil {
		c.client = client.New(dialer.Dial)
	}
	return nil
}

func (c *connection) dialer() *stream.Dialer {
	return stream.NewDialer(c.config, c.ref, c.transfers, launch.Program, "relay")
}

// try sends one request, and keeps the client if there is an answer.
func (c *connection) try(ctx context.Context, dialer *stream.Dialer) bool {
	attempt := client.New(dialer.Dial)
	if _, err := attempt.Version(ctx); err != nil {
		attempt.Close()
		c.failure = err
		return false
	}
	c.client = attempt
	return true
}

// onlyLog reports whether the profiler cannot be sent requests: all there is to read is its log.
func (c *connection) onlyLog() bool { return c.transfers[0] == stream.Logs }

// requestTransfers names the transfers that can carry requests.
func (c *connection) requestTransfers() string {
	var names []string
	for _, t := range c.transfers {
		if t != stream.Logs {
			names = append(names, string(t))
		}
	}
	return strings.Join(names, " or ")
}

// unreachable returns the error for a profiler that runs, but can be sent no requests, and whose
// log is not used. The transfer is the only one that may be used, if it is not empty.
func (c *connection) unreachable(only stream.Transfer, mustAnswer bool, cause error) error {
	text := "no data arrives by " + c.requestTransfers()
	switch {
	case mustAnswer:
		return fmt.Errorf("%s, and %w: %w", text, ErrOnlyLogs, cause)
	case only != "":
		return fmt.Errorf("%s; without --transfer, other transfers are tried: %w", text, cause)
	}
	missing := access.Permissions(c.ref.Namespace, launch.TransferRule(stream.Logs))[0]
	return fmt.Errorf("%s, and you may not %s, to read its log instead (`kubectl pprof rbac` prints the permissions needed): %w", text, missing, cause)
}

// dismiss ends a profiler that is no longer wanted but may be starting: an ephemeral container
// cannot be deleted. If that takes too long, the profiler ends by itself, because nobody connects.
func (c *connection) dismiss(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, goodbyeTimeout)
	defer cancel()
	for c.client == nil && !c.ready(ctx, c.ref) {
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return
		}
	}
	_ = c.client.Exit(ctx, true)
	c.client.Close()
}

// brokenConnections reports that the connection to a profiler broke: once for several attempts
// within brokenInterval.
type brokenConnections struct {
	report Reporter
	mu     sync.Mutex
	last   time.Time
}

const brokenInterval = 10 * time.Second

func (b *brokenConnections) add(err error) {
	b.mu.Lock()
	again := time.Since(b.last) < brokenInterval
	if !again {
		b.last = time.Now()
	}
	b.mu.Unlock()
	if !again {
		b.report.Note("the connection to the profiler broke and is being opened again; sampling goes on: " + err.Error())
	}
}

// goodbyeTimeout bounds the end of a session.
const goodbyeTimeout = 4 * time.Second
