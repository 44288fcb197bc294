//go:build linux

package profiler

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/version"
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
		Short: "Serve profiles to the kubectl plugin until it needs no more",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), s)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.containerID, "container-id", "", "ID of the container to profile, without the runtime's scheme")
	f.StringVar(&o.deadline, "deadline", "", "time (RFC 3339) at which to exit in any case")
	f.DurationVar(&o.keep, "keep", 0, "how long to wait for another client after the last one")
	f.StringArrayVar(&o.toLog, "to-log", nil, "take this profile, given as a path with parameters of net/http/pprof, write it to stdout and exit; may be repeated to take several at once")
	f.StringVar(&o.socket, "socket", "", "path of the unix socket (default /run/"+socketName+", else in /tmp)")
	return cmd
}

func (o *serveOptions) run(ctx context.Context, s Streams) error {
	deadline, requests, err := o.complete()
	if err != nil {
		return err
	}
	if err := checkMemory(); err != nil {
		return err
	}
	if err := yieldToTarget(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	l, err := listen(o.socket)
	if err != nil {
		return fmt.Errorf("listen for the plugin: %w", err)
	}
	defer l.Close()
	attached := attach.Listen(s.In, s.Out)
	defer attached.Close()

	life := newLifetime(deadline, o.keep, nil)
	handler, err := o.newHandler(deadline, life.requestExit(ctx))
	if err != nil {
		return err
	}
	life.captures = handler
	srv := server.New(handler)
	srv.ConnState = life.connState(ctx)
	served := make(chan error, 2)
	for _, l := range []net.Listener{l, attached} {
		go func() {
			served <- srv.Serve(clientListener{l})
			stop()
		}()
	}
	fmt.Fprintln(s.Err, "kubectl-pprof profiler ready")

	var wg sync.WaitGroup
	var logErr error
	if len(requests) > 0 {
		wg.Go(func() { logErr = newLogClient(s.Out, o.socket).run(ctx, requests) })
	}
	err = life.run(ctx)
	stop() // nobody counts connections any longer
	if wg.Wait(); err == nil {
		err = logErr
	}
	shutdown(srv, handler)
	for range 2 {
		if serveErr := <-served; err == nil && !errors.Is(serveErr, http.ErrServerClosed) {
			err = serveErr
		}
	}
	return err
}

// complete parses and checks the options.
func (o *serveOptions) complete() (deadline time.Time, requests []api.Request, err error) {
	if o.containerID == "" {
		return deadline, nil, errors.New("--container-id is missing: name the container to profile")
	}
	deadline, err = time.Parse(time.RFC3339, o.deadline)
	if err != nil {
		return deadline, nil, fmt.Errorf("--deadline %q is not a time in the format of RFC 3339: %w", o.deadline, err)
	}
	if !time.Now().Before(deadline) {
		return deadline, nil, deadlineError(deadline)
	}
	for _, path := range o.toLog {
		r, err := api.ParseRequest(path)
		if err != nil {
			return deadline, nil, fmt.Errorf("--to-log: %w", err)
		}
		requests = append(requests, r)
	}
	return deadline, requests, nil
}

func (o *serveOptions) newHandler(deadline time.Time, exit func(force bool) bool) (*server.Handler, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return nil, fmt.Errorf("read the kernel's version: %w", err)
	}
	v := api.Version{Version: version.Version, Kernel: unix.ByteSliceToString(u.Release[:]), Arch: runtime.GOARCH}
	return server.NewHandler(capturer{o.containerID, deadline}, v, exit), nil
}

// shutdownTimeout bounds each step of shutdown.
const shutdownTimeout = time.Second

// shutdown ends the captures and then the server. Captures come first, because they restore what they have changed in the target.
func shutdown(srv *http.Server, handler *server.Handler) {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	handler.Shutdown(ctx)
	cancel()
	ctx, cancel = context.WithTimeout(context.Background(), shutdownTimeout) // for the answer to the client's last request
	defer cancel()
	if srv.Shutdown(ctx) != nil {
		srv.Close()
	}
}
