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

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
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
	prepare     []string

	newSampler newSampler
	usedMemory func() (int64, error) // bytes, of this process
}

func newServeCommand(s Streams) *cobra.Command {
	o := serveOptions{newSampler: capture.New, usedMemory: anonymousMemory}
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
	f.StringArrayVar(&o.prepare, "prepare", nil,
		"load what this profile needs, given as for --to-log, before it is requested; may be repeated")
	f.StringVar(&o.socket, "socket", "", "path of the unix socket (default /run/"+socketName+", else in /tmp or /dev)")
	return cmd
}

func (o *serveOptions) run(ctx context.Context, s Streams) error {
	deadline, requests, expected, err := o.complete()
	if err != nil {
		return err
	}
	bound, err := checkMemory()
	if err != nil {
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
	ahead, orderly := newPrepared(o.containerID, o.newSampler), true
	defer func() {
		if orderly {
			ahead.close()
		}
	}()
	for _, r := range expected {
		ahead.add(r, o.keep == 0) // with keep, it is not known when the request comes
	}

	life := newLifetime(deadline, o.keep, nil)
	handler, err := o.newHandler(deadline, ahead, life.requestExit(ctx))
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
	exhausted := make(chan error, 1)
	go func() {
		exhausted <- watchMemory(ctx, bound, o.usedMemory)
		stop()
	}()
	err = life.run(ctx)
	stop() // nobody counts connections any longer
	if memoryErr := <-exhausted; memoryErr != nil {
		orderly = false
		// At once: ending the captures, or what is being prepared, in good order would take more memory.
		return memoryErr
	}
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
func (o *serveOptions) complete() (deadline time.Time, requests, expected []api.Request, err error) {
	if o.containerID == "" {
		return deadline, nil, nil, errors.New("--container-id is missing: name the container to profile")
	}
	deadline, err = time.Parse(time.RFC3339, o.deadline)
	if err != nil {
		return deadline, nil, nil,
			fmt.Errorf("--deadline %q is not a time in the format of RFC 3339: %w", o.deadline, err)
	}
	if !time.Now().Before(deadline) {
		return deadline, nil, nil, deadlineError(deadline)
	}
	if requests, err = parseRequests("--to-log", o.toLog); err != nil {
		return deadline, nil, nil, err
	}
	expected, err = parseRequests("--prepare", o.prepare)
	return deadline, requests, expected, err
}

// parseRequests parses the values of a flag.
func parseRequests(flag string, paths []string) (requests []api.Request, err error) {
	for _, path := range paths {
		r, err := api.ParseRequest(path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", flag, err)
		}
		requests = append(requests, r)
	}
	return requests, nil
}

func (o *serveOptions) newHandler(
	deadline time.Time, ahead *prepared, exit func(force bool) bool,
) (*server.Handler, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return nil, fmt.Errorf("read the kernel's version: %w", err)
	}
	v := api.Version{Version: version.Version, Kernel: unix.ByteSliceToString(u.Release[:]), Arch: runtime.GOARCH}
	return server.NewHandler(capturer{o.containerID, deadline, ahead, o.keep > 0}, v, exit), nil
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
