package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/google/pprof/profile"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/guard"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/launch"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/client"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/endpoint"
)

const serveExamples = `  # Serve the profiles of a deployment's container at http://localhost:6060/debug/pprof/
  kubectl pprof serve deploy/web

  # Ask it from another terminal
  go tool pprof http://localhost:6060/debug/pprof/heap

  # What takes no BPF only, with the privilege that this takes only, for a working day
  kubectl pprof serve web-0 --type heap,allocs,goroutine --capabilities --for 8h

  # For another machine, which asks by this one's address or name
  kubectl pprof serve web-0 --address 0.0.0.0 --port 6061`

const serveLong = `Serve the profiles of a container at a port of this machine by the paths of net/http/pprof, which the
program itself need not have: for go tool pprof, Parca, Pyroscope or a browser. A profiler is
started beside the container as for a profile, and takes a new profile for each request.

It ends with Ctrl-C, with the container, and after the time of --for at the latest. Only this machine
can ask, unless --address says otherwise.`

const (
	maxServing = 24 * time.Hour
	// lostTime is how long the profiler waits for us when the connection breaks.
	lostTime = 2 * time.Minute
	// beat is how often it is asked whether it is there: a connection that broke is opened again, and that there is
	// nobody any more is noticed.
	beat = 5 * time.Second
)

type serving struct {
	*Options
	portNumber int
	address    string
	duration   time.Duration
}

func newServeCommand(streams genericiooptions.IOStreams, signals <-chan os.Signal) *cobra.Command {
	s := &serving{Options: NewOptions(streams), portNumber: usualPort, address: "localhost", duration: time.Hour}
	s.serves, s.types = true, api.TypeNames()
	cmd := &cobra.Command{
		Use:                   "serve ([TYPE/]NAME | NAMESPACE POD [CONTAINER]) [flags]",
		DisableFlagsInUseLine: true,
		Short:                 "Serve profiles of a container by the paths of net/http/pprof",
		Long:                  serveLong,
		Example:               serveExamples,
		Args:                  cobra.ArbitraryArgs, // judged by Complete, with a better message
		ValidArgsFunction:     s.completeArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.Complete(args); err != nil {
				return usageError{err}
			}
			if err := errors.Join(s.Validate(), s.validate()); err != nil {
				return usageError{err}
			}
			ctx, early, done := handleSignals(cmd.Context(), signals)
			defer done()
			return s.run(ctx, early)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	s.addContainerFlag(f)
	f.IntVar(&s.portNumber, "port", s.portNumber, "`port` of this machine to serve at; 0 is any free one")
	f.StringVar(&s.address, "address", s.address, "`address` of this machine to serve at, or its name; who asks by another name is refused")
	f.DurationVar(&s.duration, "for", s.duration, "how long to serve at most")
	s.addTypeFlag(f)
	f.Lookup("type").DefValue = "[all]"
	s.addMemProfileFlags(f)
	f.Lookup("enable-memprofile").Usage = "turn the memory profile of Go programs on that have none, until it ends: writes runtime.MemProfileRate in their memory, and the old value back"
	s.addModeFlags(f)
	s.addLaunchFlags(f)
	f.StringVar((*string)(&s.launch.Transfer), "transfer", "", "the only `way` back that may be used: exec or attach; default: the first of them that is permitted and works")
	s.addTimeoutFlag(f)
	f.BoolVarP(&s.quiet, "quiet", "q", false, "print nothing but errors")
	f.BoolVarP(&s.verbose, "verbose", "v", false, "print every step and how long it took")
	connection := pflag.NewFlagSet("connection", pflag.ContinueOnError)
	s.config.AddFlags(connection)
	s.changed = f.Changed
	f.AddFlagSet(connection)
	setUsage(cmd, flagGroup{"Connection flags", connection})
	s.addFlagCompletion(cmd)
	return cmd
}

func (s *serving) validate() error {
	switch {
	case s.duration <= 0 || s.duration > maxServing:
		return fmt.Errorf("--for %v: it must be above 0 and at most %v", s.duration, maxServing)
	case s.portNumber < 0 || s.portNumber > 65535:
		return fmt.Errorf("--port %d: it must be from 0 to 65535", s.portNumber)
	case s.launch.Transfer == stream.Logs:
		return fmt.Errorf("--transfer logs: %w", errUnasked)
	}
	return nil
}

func (s *serving) run(ctx, early context.Context) (err error) {
	ui := newProgress(s.ErrOut, s.quiet, s.verbose)
	defer ui.clear()
	listener, err := net.Listen("tcp", net.JoinHostPort(s.address, strconv.Itoa(s.portNumber)))
	if err != nil {
		return fmt.Errorf("cannot serve: %w; --port takes another port", err)
	}
	defer listener.Close()
	config, clients, err := s.connect()
	if err != nil {
		return err
	}
	ui.step("looking for %s", s.query.Name)
	t, err := target.Resolve(early, clients, s.query)
	if err != nil {
		return interrupted(early, fmt.Errorf("%w%s", err, s.hint))
	}
	for _, note := range t.Notes {
		ui.note("%s", note)
	}
	end := time.Now().Add(s.duration)
	s.launch.Duration, s.launch.Keep = s.duration, lostTime
	link, session, err := s.start(ctx, early, ui, config, clients.Core, t)
	if err != nil {
		return interrupted(early, err)
	}
	defer func() {
		parting, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbyeTime)
		defer cancel()
		_ = link.client.Exit(parting, !session.Reused) // else it ends by itself when nobody is connected
		link.client.Close()
		if !session.Reused {
			err = errors.Join(err, session.Close(parting))
		}
	}()
	types, err := api.TypesOf(s.types)
	if err != nil {
		return err
	}
	source := &source{client: link.client, describe: func(r api.Request) []string { return describe(r.Type, t) }}
	handler := endpoint.NewHandler(source, t.String(), types)
	server := &http.Server{
		Handler:           guard.New(s.address, listener.Addr()).Protect(handler),
		ReadHeaderTimeout: 10 * time.Second,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	defer server.Close()
	ui.clear()
	if !s.quiet {
		fmt.Fprintf(s.ErrOut, "serving http://%s%s of %s until Ctrl-C, at most %v (--for)\n", listener.Addr(), endpoint.Root, t, s.duration)
		if session.Mode == launch.Ephemeral && !session.Reused {
			fmt.Fprintf(s.ErrOut, "ephemeral container %s stays in the pod's description; Kubernetes never removes those\n", session.Container)
		}
	}
	until, cancel := context.WithDeadline(early, end)
	defer cancel()
	if s.request.EnableMemProfile {
		release := source.holdMemProfile(until, s.request, func(err error) { ui.note("--enable-memprofile: %v", err) })
		defer release()
	}
	watch := make(chan error, 1)
	go func() { watch <- attend(until, ui, link.client, session) }()
	select {
	case err = <-failed:
		cancel()
		<-watch
		return fmt.Errorf("serving ended: %w", err)
	case err = <-watch:
	}
	if err == nil && early.Err() == nil && !s.quiet {
		fmt.Fprintf(s.ErrOut, "the time of --for is over\n")
	}
	return err
}

// attend asks the profiler now and then whether it is there. It returns nil at the end of ctx, and an error when the
// profiler has ended before.
func attend(ctx context.Context, ui *progress, client *client.Client, session *launch.Session) error {
	for ctx.Err() == nil {
		asking, cancel := context.WithTimeout(ctx, lostTime)
		_, err := client.Version(asking)
		cancel()
		if why, endedErr := session.TargetEnded(ctx); endedErr == nil && why != "" { // a Job does not end with it
			return errors.New(why)
		}
		if err != nil && ctx.Err() == nil {
			ui.interrupted(err)
			if why, endedErr := session.Ended(ctx); endedErr == nil && why != "" {
				return errors.New(why)
			}
		}
		select {
		case <-time.After(beat):
		case <-ctx.Done():
		}
	}
	return nil
}

// source asks the profiler in the pod.
type source struct {
	client   *client.Client
	describe func(api.Request) []string
}

// Profile takes a profile; who asked and went away ends it.
func (s *source) Profile(ctx context.Context, r api.Request) (*profile.Profile, error) {
	if r.Capture == "" {
		r.Capture = api.NewCaptureID()
	}
	p, err := s.client.Profile(ctx, r)
	if ctx.Err() != nil {
		s.stop(ctx, r.Capture)
	}
	if err != nil {
		return nil, err
	}
	p.Comments = append(p.Comments, s.describe(r)...)
	return p, nil
}

func (s *source) stop(ctx context.Context, capture string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbyeTime)
	defer cancel()
	_ = s.client.Stop(ctx, capture) // it ends by itself
}

func (s *source) Cmdline(ctx context.Context) ([]byte, error) { return s.client.Cmdline(ctx) }

// holdMemProfile keeps the memory profile turned on until ctx ends or release is called, which returns when the target
// is as it was: a profile of what is allocated is taken all the time, for nobody. failed is told why that cannot be.
func (s *source) holdMemProfile(ctx context.Context, r api.Request, failed func(error)) (release func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	r.Type = "allocs"
	go func() {
		defer close(done)
		told := ""
		for ctx.Err() == nil {
			r.Capture, r.Duration = api.NewCaptureID(), api.MaxDuration
			if end, ok := ctx.Deadline(); ok {
				r.Duration = max(min(r.Duration, time.Until(end)), time.Millisecond)
			}
			if err := s.hold(ctx, r); err != nil && ctx.Err() == nil {
				if text := err.Error(); text != told { // once, and not at each try
					failed(err)
					told = text
				}
				select {
				case <-time.After(beat):
				case <-ctx.Done():
				}
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// hold takes the profile and stops it at the end of ctx; it returns when the capture has ended.
func (s *source) hold(ctx context.Context, r api.Request) error {
	taking, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		s.stop(taking, r.Capture)
		select {
		case <-time.After(goodbyeTime):
			cancel()
		case <-taking.Done():
		}
	})()
	_, err := s.client.Profile(taking, r)
	return err
}
