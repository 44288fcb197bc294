package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/launch"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// taken are the profiles and the session they were taken in. finish, to be called in any case, ends the session; it has begun,
// so that it costs no time.
type taken struct {
	parts   []*part
	session *launch.Session
	begin   time.Time // of sampling
	finish  func() error
}

// take launches a profiler and takes the profiles that are requested. It returns nil if there was no session: because of
// the error, or because what would be created was to be printed only.
func (o *Options) take(ctx, early context.Context, ui *progress, config *rest.Config, client kubernetes.Interface, t *target.Target) (*taken, error) {
	link, session, err := o.start(ctx, early, ui, config, client, t)
	if session == nil {
		return nil, err
	}
	for i := range o.requests {
		t, err := api.TypeOf(o.requests[i].Type)
		o.requests[i].Restarts = err == nil && t.Restarts && o.restarts && session.Mode == launch.Job && !link.unasked()
	}
	begin := time.Now()
	parts, finish := o.profile(ctx, early, ui, link, session)
	return &taken{parts, session, begin, finish}, nil
}

// start launches a profiler and connects to it. It returns no session because of the error, or because what would be
// created was to be printed only.
func (o *Options) start(ctx, early context.Context, ui *progress, config *rest.Config, client kubernetes.Interface, t *target.Target) (*link, *launch.Session, error) {
	link := &link{config: config}
	o.launch.Ready = link.ready
	ui.step("asking the cluster what it allows")
	plan, err := launch.Choose(early, client, t, o.mode, o.launch)
	if err != nil {
		return nil, nil, interrupted(early, o.lessPrivileged(err))
	}
	link.transfers = plan.Transfers()
	if plan.Fallback != "" {
		ui.note("using %s", plan.Fallback)
	}
	if o.dryRun {
		ui.clear()
		return nil, nil, printYAML(o.Out, plan)
	}
	if o.serves && link.unasked() {
		return nil, nil, errUnasked
	}
	if link.unasked() && o.launch.Keep > 0 {
		ui.note("--keep is left out: through its log a profiler cannot be asked for another profile")
		o.launch.Keep = 0
	}
	verb := "starting a"
	if plan.Object == nil {
		verb = "using the kept"
	}
	ui.step("%s profiler for %s on node %s", verb, t, t.Node())
	session, err := plan.Launch(early)
	if err != nil {
		if early.Err() != nil && link.ref.Pod == t.Pod.Name {
			link.dismiss(ctx)
		}
		return nil, nil, interrupted(early, err)
	}
	reached := link.reach(early, session)
	if early.Err() != nil && link.client == nil && !link.unasked() { // interrupted before an answer
		var closeErr error
		if !session.Reused {
			link.dismiss(ctx)
			closeErr = session.Close(ctx)
		}
		return nil, nil, errors.Join(interrupted(early, early.Err()), closeErr)
	}
	if !reached && session.Reused && early.Err() == nil {
		ui.note("the kept profiler does not answer: another one is started")
		o.launch.Fresh = true
		return o.start(ctx, early, ui, config, client, t)
	}
	if !reached && o.launch.Transfer == "" && slices.Contains(link.transfers, stream.Logs) {
		if o.serves {
			return nil, nil, errors.Join(errUnasked, session.Close(ctx))
		}
		ui.note("nothing comes through %v: another profiler is told at its start what to do, and writes to its log", link.ways())
		if err := session.Close(ctx); err != nil {
			ui.note("%v", err)
		}
		o.launch.Transfer, o.launch.Keep = stream.Logs, 0
		return o.start(ctx, early, ui, config, client, t)
	}
	return link, session, nil
}

// lessPrivileged adds to a refusal which of several types need less than the others.
func (o *Options) lessPrivileged(err error) error {
	var names []string
	for _, r := range o.requests {
		if t, typeErr := api.TypeOf(r.Type); typeErr == nil && !t.NeedsBPF && t.Name != "wall" {
			names = append(names, t.Name)
		}
	}
	if !errors.As(err, new(*launch.Refusal)) || len(names) == 0 || o.launch.MemoryOnly {
		return err
	}
	return fmt.Errorf("%w\n  types that only read memory need less and may be admitted where others are not: try --type %s", err, strings.Join(names, ","))
}

var errUnasked = errors.New("the profiler can be asked neither by exec nor by attach: what it is told at its start is one profile only")
