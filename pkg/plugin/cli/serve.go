package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/guard"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/session"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/endpoint"
)

const serveExamples = `  # Serve the profiles of a deployment's container at http://localhost:6060/debug/pprof/
  kubectl pprof serve deploy/web

  # Take a heap profile from another terminal
  go tool pprof http://localhost:6060/debug/pprof/heap

  # Serve types that only read memory, with few privileges, for a working day
  kubectl pprof serve web-0 --type heap,allocs,goroutine --capabilities --for 8h

  # Serve heap profiles of a program that has its memory profile turned off
  kubectl pprof serve web-0 --type heap,allocs --enable-memprofile

  # Serve to other machines, which must use this machine's address or name, and a token
  kubectl pprof serve web-0 --address 0.0.0.0 --port 6061 --require-token`

const serveLong = `Expose net/http/pprof endpoints on a local port for a container that has none: for go tool pprof, Parca,
Pyroscope or a browser. The profiler is started as for a single profile, and takes a new profile for each
request.

Serving ends with Ctrl-C, when the container ends, or after the time of --for. Only this machine can
connect, unless --address names another address.`

// maxServeTime bounds --for.
const maxServeTime = 24 * time.Hour

// serveFlags are the flags of the serve command.
type serveFlags struct {
	connection   connectionFlags
	container    string
	port         int
	address      string
	requireToken bool
	duration     time.Duration
	requests     requestFlags
	launch       launchFlags
	verbosity
}

func newServeFlags() *serveFlags {
	return &serveFlags{
		connection: newConnectionFlags(), port: session.DefaultPort, address: "localhost", duration: time.Hour,
		requests: newRequestFlags(api.TypeNames()...), launch: newLaunchFlags(),
	}
}

func newServeCommand(streams genericiooptions.IOStreams, signals <-chan os.Signal) *cobra.Command {
	s := newServeFlags()
	cmd := &cobra.Command{
		Use:                   "serve ([TYPE/]NAME | NAMESPACE POD [CONTAINER]) [flags]",
		DisableFlagsInUseLine: true,
		Short:                 "Expose net/http/pprof endpoints on a local port for a container",
		Long:                  serveLong,
		Example:               serveExamples,
		Args:                  cobra.ArbitraryArgs, // plan checks them, with better messages
		ValidArgsFunction:     completer{s.connection}.completeTarget,
		RunE: func(cmd *cobra.Command, args []string) error {
			plan, err := s.plan(args, cmd.Flags().Changed)
			if err != nil {
				return usageError{err}
			}
			ctx, early, done := handleSignals(cmd.Context(), signals)
			defer done()
			return plan.run(ctx, early, s.connection, streams.ErrOut)
		},
	}
	s.addTo(cmd)
	return cmd
}

func (s *serveFlags) addTo(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SortFlags = false
	addContainerFlag(f, &s.container)
	f.IntVar(&s.port, "port", s.port, "local `port` to serve on; 0 chooses a free one")
	f.StringVar(&s.address, "address", s.address, "local `address` or host name to serve on; requests to other names are refused")
	f.BoolVar(&s.requireToken, "require-token", false, "answer only requests with the token in the printed address, or with it as a bearer token")
	f.DurationVar(&s.duration, "for", s.duration, "how long to serve at most")
	s.requests.addType(f, "to serve")
	f.Lookup("type").DefValue = "[all]"
	s.requests.addMemProfile(f, "until serving ends")
	s.launch.addMode(f)
	s.launch.addObject(f)
	s.launch.addTransfer(f, "exec or attach")
	s.launch.addTimeout(f)
	s.verbosity.addTo(f)
	setUsage(cmd, s.connection.addTo(cmd))
	addFlagCompletion(cmd, s.connection)
}

// servePlan is what the serve command does. Nothing changes it.
type servePlan struct {
	target       named
	session      session.Plan
	types        []api.ProfileType
	held         *api.Request // turns on the memory profile while serving; nil if not wanted
	address      string
	port         int
	requireToken bool
	verbosity    verbosity
}

// plan checks everything that can be checked before the cluster is asked.
func (s *serveFlags) plan(args []string, set func(flag string) bool) (*servePlan, error) {
	n, err := parseTarget(args, *s.connection.Namespace, s.container)
	if err != nil {
		return nil, err
	}
	types, err := api.ParseTypes(s.requests.types)
	if err != nil {
		return nil, err
	}
	requests, err := s.requests.requests(api.DefaultDuration, set, false)
	if err != nil {
		return nil, err
	}
	switch {
	case s.duration <= 0 || s.duration > maxServeTime:
		return nil, fmt.Errorf("--for %v: must be above 0 and at most %v", s.duration, maxServeTime)
	case s.port < 0 || s.port > 65535:
		return nil, fmt.Errorf("--port %d: must be from 0 to 65535", s.port)
	case s.launch.transfer == string(stream.Logs):
		return nil, fmt.Errorf("--transfer logs: serve needs exec or attach: %w", session.ErrOnlyLogs)
	}
	if err := errors.Join(s.launch.validate(), s.verbosity.validate()); err != nil {
		return nil, err
	}
	plan := &servePlan{
		target:  n,
		session: session.Plan{Requests: requests, Duration: s.duration, Mode: s.launch.mode(), Launch: s.launch.options()},
		types:   types, address: s.address, port: s.port, requireToken: s.requireToken, verbosity: s.verbosity,
	}
	if s.requests.common.EnableMemProfile {
		held := s.requests.common
		plan.held = &held
	}
	return plan, nil
}

// protect returns the handler that the server uses, and the URL of the index for the user.
func (s *servePlan) protect(endpoints http.Handler, address net.Addr) (h http.Handler, url string) {
	url = guard.URL(s.address, address) + strings.TrimPrefix(endpoint.Root, "/")
	if s.requireToken {
		token := guard.NewToken(address)
		endpoints, url = token.Require(endpoints), token.AddTo(url)
	}
	return guard.New(s.address, address).Protect(endpoints), url
}

// run serves until early or the plan's time ends. The contexts are as for session.Take.
func (s *servePlan) run(ctx, early context.Context, connection connectionFlags, stderr io.Writer) (err error) {
	ui := newProgress(stderr, s.verbosity)
	defer ui.clear()
	listener, err := net.Listen("tcp", net.JoinHostPort(s.address, strconv.Itoa(s.port)))
	if err != nil {
		return fmt.Errorf("cannot serve: %w; choose another port with --port", err)
	}
	defer listener.Close()
	c, err := connection.connect()
	if err != nil {
		return err
	}
	t, err := s.target.resolve(early, c, ui)
	if err != nil {
		return err
	}
	end := time.Now().Add(s.session.Duration)
	open, err := session.New(c.config, c.clients.Core, t, s.session, ui).Open(ctx, early)
	if errors.Is(err, session.ErrOnlyLogs) {
		return fmt.Errorf("serve needs pods/exec or pods/attach: %w", err)
	}
	if err != nil {
		return advise(err, s.session.Requests)
	}
	defer func() { err = errors.Join(err, open.Close(ctx)) }()
	handler, url := s.protect(endpoint.NewHandler(open, t.String(), s.types), listener.Addr())
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	defer server.Close()
	ui.clear()
	if !s.verbosity.quiet {
		fmt.Fprintf(stderr, "serving %s for %s until Ctrl-C, at most %v (--for)\n", url, t, s.session.Duration)
		reportLeftContainer(stderr, open.LeftContainer())
	}
	until, cancel := context.WithDeadline(early, end)
	defer cancel()
	if s.held != nil {
		release := open.HoldMemProfile(until, *s.held, func(err error) { ui.note("--enable-memprofile: %v", err) })
		defer release()
	}
	watch := make(chan error, 1)
	go func() { watch <- open.Watch(until) }()
	select {
	case err = <-failed:
		cancel()
		<-watch
		return fmt.Errorf("serving failed: %w", err)
	case err = <-watch:
	}
	if err == nil && early.Err() == nil && !s.verbosity.quiet {
		fmt.Fprintf(stderr, "the time of --for is over\n")
	}
	return err
}
