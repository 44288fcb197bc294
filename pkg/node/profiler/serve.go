//go:build linux

package profiler

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/server"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/attach"
)

type serveOptions struct {
	containerID string
	deadline    string
	keep        time.Duration
	socket      string
	toLog       []string
}

func newServeCommand(s Streams) *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Make profiles for the kubectl plugin until it has what it wants",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), s)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.containerID, "container-id", "", "ID of the container to profile, without the runtime's scheme")
	f.StringVar(&o.deadline, "deadline", "", "point in time (RFC 3339) after which to exit in any case")
	f.DurationVar(&o.keep, "keep", 0, "how long to wait for another client after the last")
	f.StringArrayVar(&o.toLog, "to-log", nil, "make this profile, a path with parameters as of net/http/pprof, write it to stdout and exit; several are made at once")
	f.StringVar(&o.socket, "socket", "", "path of the unix socket (default /run/"+socketName+", else in /tmp)")
	return cmd
}

// goodbye is how long the answer to the client's last request has to leave.
const goodbye = time.Second

func (o *serveOptions) run(ctx context.Context, s Streams) error {
	if o.containerID == "" {
		return errors.New("--container-id is missing: say which container to profile")
	}
	deadline, err := time.Parse(time.RFC3339, o.deadline)
	if err != nil {
		return fmt.Errorf("--deadline %q is not a time as in RFC 3339: %w", o.deadline, err)
	}
	if !time.Now().Before(deadline) {
		return errDeadline(deadline)
	}
	if err := checkRoom(); err != nil {
		return err
	}
	if err := behave(); err != nil {
		return err
	}
	var requests []api.Request
	for _, path := range o.toLog {
		r, err := api.ParseRequest(path)
		if err != nil {
			return fmt.Errorf("--to-log: %w", err)
		}
		requests = append(requests, r)
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	version, err := nodeVersion()
	if err != nil {
		return err
	}
	l, err := listen(o.socket)
	if err != nil {
		return fmt.Errorf("listen for the plugin: %w", err)
	}
	defer l.Close()
	attached := attach.Listen(s.In, s.Out)
	defer attached.Close()
	life := newLifetime(deadline, o.keep, nil)
	handler := server.NewHandler(capturer{o.containerID, deadline}, version, life.requestExit(ctx))
	life.captures = handler
	server := server.New(handler)
	server.ConnState = life.connState(ctx)
	served := make(chan error, 2)
	for _, l := range []net.Listener{l, attached} {
		go func() {
			served <- server.Serve(clientListener{l})
			stop()
		}()
	}
	fmt.Fprintln(s.Err, "kubectl-pprof profiler ready")

	var wg sync.WaitGroup
	var logErr error
	if len(requests) > 0 {
		wg.Go(func() { logErr = newToLog(s, o.socket).run(ctx, requests) })
	}
	err = life.run(ctx)
	stop() // from here on nobody counts connections
	if wg.Wait(); err == nil {
		err = logErr
	}
	ending, cancel := context.WithTimeout(context.Background(), goodbye)
	handler.End(ending) // first, for what captures have changed in the target is to be put back
	cancel()
	parting, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	if server.Shutdown(parting) != nil {
		server.Close()
	}
	for range 2 {
		if serveErr := <-served; err == nil && !errors.Is(serveErr, http.ErrServerClosed) {
			err = serveErr
		}
	}
	return err
}
