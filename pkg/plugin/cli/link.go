package cli

import (
	"context"
	"strings"
	"time"

	"k8s.io/client-go/rest"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/launch"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/client"
)

// link makes the connection to a profiler.
type link struct {
	config    *rest.Config
	transfers []stream.Transfer // that may be used
	ref       stream.Ref        // the profiler, once it was tried
	client    *client.Client    // nil before the first answer
}

// ready tries whether a profiler answers. An exec that is established proves nothing: the API
// server establishes it before it asks the kubelet.
func (l *link) ready(ctx context.Context, ref stream.Ref) bool {
	l.ref = ref
	if l.unasked() {
		return false
	}
	return l.try(ctx, stream.NewDialer(l.config, ref, l.transfers, launch.Program, "relay"))
}

func (l *link) try(ctx context.Context, dialer *stream.Dialer) bool {
	client := client.New(dialer.Dial)
	if _, err := client.Version(ctx); err != nil {
		client.Close()
		return false
	}
	l.client = client
	return true
}

// unasked tells that the log is the only way.
func (l *link) unasked() bool { return l.transfers[0] == stream.Logs }

// ways names those by which the profiler can be asked.
func (l *link) ways() string {
	names := []string{}
	for _, t := range l.transfers {
		if t != stream.Logs {
			names = append(names, string(t))
		}
	}
	return strings.Join(names, " or ")
}

// reach returns when the profiler of a session answers, or with false when no stream brings anything, or one that was
// kept has ended. It is true as well when that cannot be told, or there is nothing to ask: the next step will say why.
func (l *link) reach(ctx context.Context, session *launch.Session) bool {
	l.ref = session.Ref
	if l.client != nil || l.unasked() {
		return true
	}
	dialer := stream.NewDialer(l.config, session.Ref, l.transfers, launch.Program, "relay")
	for !l.try(ctx, dialer) {
		if why, err := session.Ended(ctx); err != nil || why != "" {
			if session.Reused { // it was about to end when it was found
				return false
			}
			break
		}
		if dialer.Exhausted() {
			return false
		}
		select {
		case <-time.After(reachPause):
		case <-ctx.Done():
			return true
		}
	}
	if l.client == nil {
		l.client = client.New(dialer.Dial)
	}
	return true
}

const reachPause = 300 * time.Millisecond

// dismiss ends a profiler that is no longer wanted but was about to start, as an ephemeral
// container cannot be taken back. If that takes too long it ends by itself, for nobody connects.
func (l *link) dismiss(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, goodbyeTime)
	defer cancel()
	for l.client == nil && !l.ready(ctx, l.ref) {
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return
		}
	}
	_ = l.client.Exit(ctx, true)
	l.client.Close()
}
