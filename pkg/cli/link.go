package cli

import (
	"context"
	"net"
	"time"

	"k8s.io/client-go/rest"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/launch"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/stream"
)

// link makes the connection to a profiler.
type link struct {
	config *rest.Config
	ref    stream.Ref  // the profiler, once it was tried
	client *api.Client // nil before the first answer
}

func (l *link) newClient(ref stream.Ref) *api.Client {
	return api.NewClient(func(ctx context.Context) (net.Conn, error) {
		return stream.Exec(ctx, l.config, ref, launch.Program, "relay")
	})
}

// ready tries whether a profiler answers. An exec that is established proves nothing: the API
// server establishes it before it asks the kubelet.
func (l *link) ready(ctx context.Context, ref stream.Ref) bool {
	l.ref = ref
	client := l.newClient(ref)
	if _, err := client.Version(ctx); err != nil {
		client.Close()
		return false
	}
	l.client = client
	return true
}

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
