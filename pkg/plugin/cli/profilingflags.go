package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/launch"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/session"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/endpoint"
)

// profilingFlags choose what is profiled, and how. The root command and diff have them.
type profilingFlags struct {
	connection     connectionFlags
	container      string
	duration       time.Duration
	requests       requestFlags
	launch         launchFlags
	endpoint       string // port of --from-endpoint, or anyPort; "" without the flag
	waitForRestart bool
	set            func(flag string) bool // reports whether a flag was given
}

// anyPort is the value of --from-endpoint without a port.
const anyPort = "any"

func newProfilingFlags() profilingFlags {
	return profilingFlags{connection: newConnectionFlags(), duration: api.DefaultDuration, requests: newRequestFlags("cpu"), launch: newLaunchFlags()}
}

// addTarget adds the flags for what is sampled, and for how long.
func (p *profilingFlags) addTarget(f *pflag.FlagSet) {
	addContainerFlag(f, &p.container)
	f.DurationVarP(&p.duration, "duration", "d", p.duration, "how long to sample, such as 30s or 2m")
}

// addProfiling adds the flags for how a profile is taken.
func (p *profilingFlags) addProfiling(f *pflag.FlagSet) {
	p.requests.addType(f, "to take at the same time")
	p.requests.addSampling(f)
	p.requests.addMemProfile(f, "for the time of the profile")
	p.requests.addDetail(f)
	p.launch.addMode(f)
	p.launch.addObject(f)
	f.StringVar(&p.endpoint, "from-endpoint", "", "take the profile from the program's own net/http/pprof by port-forward, and create nothing; without =`PORT`, try 6060 and the container's ports")
	f.Lookup("from-endpoint").NoOptDefVal = anyPort
	f.BoolVar(&p.waitForRestart, "wait-for-restart", false, "continue after a restart if the container ends; with --job from its first second")
	p.launch.addTransfer(f, "exec, attach or logs")
	p.launch.addKeep(f)
	p.launch.addTimeout(f)
	p.set = f.Changed
}

// capturePlan is what is profiled and how. Nothing changes it.
type capturePlan struct {
	target   named
	session  session.Plan
	endpoint bool // take the profiles from the program's own endpoint
	port     int  // of the endpoint; 0 to look for it
}

// plan checks the flags and arguments. traceback requests each goroutine by itself.
func (p *profilingFlags) plan(args []string, traceback bool) (capturePlan, error) {
	var plan capturePlan
	for _, arg := range args {
		if n, err := strconv.Atoi(arg); p.endpoint == anyPort && err == nil && n > 0 && n <= 65535 {
			return plan, fmt.Errorf("write --from-endpoint=%d: with a space, the number is taken for a name", n)
		}
	}
	var err error
	if plan.target, err = parseTarget(args, *p.connection.Namespace, p.container); err != nil {
		return plan, err
	}
	requests, err := p.requests.requests(p.duration, p.set, traceback)
	if err != nil {
		return plan, err
	}
	if err := p.launch.validate(); err != nil {
		return plan, err
	}
	plan.session = session.Plan{
		Requests:       requests,
		Duration:       p.duration,
		Mode:           p.launch.mode(),
		Launch:         p.launch.options(),
		EndReused:      p.set("keep") && p.launch.keep == 0,
		WaitForRestart: p.waitForRestart,
	}
	plan.endpoint, plan.port, err = p.planEndpoint(requests)
	return plan, err
}

// planEndpoint checks --from-endpoint, and refuses what a program's own endpoint cannot do.
func (p *profilingFlags) planEndpoint(requests []api.Request) (wanted bool, port int, err error) {
	if p.endpoint == "" && p.set("from-endpoint") {
		return false, 0, fmt.Errorf("--from-endpoint= has no port; without = the usual ports are tried")
	}
	if p.endpoint == "" {
		return false, 0, nil
	}
	if p.endpoint != anyPort {
		if port, err = strconv.Atoi(p.endpoint); err != nil || port < 1 || port > 65535 {
			return false, 0, fmt.Errorf("--from-endpoint=%s: must be a port from 1 to 65535", p.endpoint)
		}
	}
	for _, flag := range []string{
		"frequency", "pid", "by", "no-times", "enable-memprofile", "memprofile-rate", "freeze", "unsafe-kernel", "ephemeral", "job", "image", "job-namespace",
		"image-pull-policy", "image-pull-secret", "service-account", "capabilities", "wait-for-restart", "transfer", "keep", "timeout", "dry-run",
	} {
		if p.set(flag) {
			return false, 0, fmt.Errorf("--%s cannot be used with --from-endpoint, which takes the profile that the program makes", flag)
		}
	}
	var unknown []string
	for _, r := range requests {
		if !endpoint.HasType(r.Type) {
			unknown = append(unknown, r.Type.Name)
		}
	}
	if len(unknown) > 0 {
		return false, 0, fmt.Errorf("--from-endpoint: net/http/pprof has no profile of type %s", strings.Join(unknown, ", "))
	}
	return true, port, nil
}

// capture finds the target and takes its profiles. The outcome is as for session.Take.
func (p capturePlan) capture(ctx, early context.Context, c *cluster, report session.Reporter) (*target.Target, *session.Outcome, error) {
	t, err := p.target.resolve(early, c, report)
	if err != nil {
		return nil, nil, err
	}
	var outcome *session.Outcome
	if p.endpoint {
		outcome, err = session.TakeFromEndpoint(early, c.config, t, p.port, p.session.Requests, report)
	} else {
		outcome, err = session.New(c.config, c.clients.Core, t, p.session, report).Take(ctx, early)
	}
	return t, outcome, advise(err, p.session.Requests)
}

// advise adds to an error of a session which flags may help.
func advise(err error, requests []api.Request) error {
	if errors.Is(err, session.ErrNoEndpoint) {
		return fmt.Errorf("%w\n  name another port by --from-endpoint=PORT, or leave the flag out: then no endpoint is needed", err)
	}
	if !errors.As(err, new(*launch.Refusal)) {
		return err
	}
	var less []string // types that need fewer privileges
	bpf := false
	for _, r := range requests {
		bpf = bpf || r.Type.NeedsBPF
		if !r.Type.NeedsBPF && r.Type != api.Wall {
			less = append(less, r.Type.Name)
		}
	}
	if !bpf || len(less) == 0 {
		return err
	}
	return fmt.Errorf("%w\n  types that only read memory need fewer privileges and may be admitted: try --type %s", err, strings.Join(less, ","))
}
