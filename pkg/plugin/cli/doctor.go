package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/doctor"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/launch"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/session"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/terminal"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

const doctorExamples = `  # Check whether a pod can be profiled
  kubectl pprof doctor web-5d9c7b4f6-x2x8v

  # Check a namespace without naming a pod
  kubectl pprof doctor -n shop

  # Check whether Jobs in another namespace work
  kubectl pprof doctor deploy/web --job-namespace profiling

  # Check whether types that only read memory need fewer privileges
  kubectl pprof doctor deploy/web --type heap,goroutine --capabilities

  # Print the worst verdict, for a script
  kubectl pprof doctor deploy/web -o json | jq -r .verdict`

const doctorLong = `Check whether containers can be profiled, without creating anything: the API server, permissions,
transfers, admission (by dry runs), PodSecurity, the pod, its node, the image and the pod's memory and CPU.

Each check has a verdict: ok, unknown (it could not be checked), warning (one way of profiling does not
work, or something may go wrong) or failed (no profile can be taken). Problems come with a remedy.

Exit codes: 0 all checks are ok; 1 a check failed; 2 wrong usage; 3 there is a warning or an unknown verdict.`

// doctorFlags are the flags of the doctor command.
type doctorFlags struct {
	connection connectionFlags
	format     string
	container  string
	requests   requestFlags
	launch     launchFlags
}

func newDoctorCommand(streams genericiooptions.IOStreams) *cobra.Command {
	d := &doctorFlags{connection: newConnectionFlags(), format: "table", requests: newRequestFlags("cpu"), launch: newLaunchFlags()}
	cmd := &cobra.Command{
		Use:                   "doctor [[TYPE/]NAME | NAMESPACE POD [CONTAINER]] [flags]",
		DisableFlagsInUseLine: true,
		Short:                 "Check whether containers can be profiled, without creating anything",
		Long:                  doctorLong,
		Example:               doctorExamples,
		Args:                  cobra.ArbitraryArgs, // plan checks them, with better messages
		ValidArgsFunction:     completer{d.connection}.completeTarget,
		RunE: func(cmd *cobra.Command, args []string) error {
			plan, err := d.plan(args, cmd.Flags().Changed)
			if err != nil {
				return usageError{err}
			}
			return plan.run(cmd.Context(), d.connection, streams.Out)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVarP(&d.format, "output", "o", d.format, "`format` of the output: table or json")
	addContainerFlag(f, &d.container)
	d.requests.addType(f, "to check for")
	d.launch.addObject(f)
	setUsage(cmd, d.connection.addTo(cmd))
	addFlagCompletion(cmd, d.connection)
	return cmd
}

// doctorPlan is what the doctor command does. Nothing changes it.
type doctorPlan struct {
	target named // empty to check a namespace
	launch launch.Options
	print  func(io.Writer, []doctor.Check) error
}

func (d *doctorFlags) plan(args []string, set func(flag string) bool) (*doctorPlan, error) {
	plan := &doctorPlan{print: func(w io.Writer, checks []doctor.Check) error {
		return doctor.Print(terminal.NewWriter(w), checks) // details have messages of the cluster
	}}
	switch d.format {
	case "table":
	case "json":
		plan.print = doctor.PrintJSON
	default:
		return nil, fmt.Errorf("--output %q: choose table or json", d.format)
	}
	if len(args) > 0 {
		var err error
		if plan.target, err = parseTarget(args, *d.connection.Namespace, d.container); err != nil {
			return nil, err
		}
	}
	requests, err := d.requests.requests(api.DefaultDuration, set, false)
	if err != nil {
		return nil, err
	}
	plan.launch = session.LaunchOptions(d.launch.options(), requests)
	return plan, nil
}

func (d *doctorPlan) run(ctx context.Context, connection connectionFlags, stdout io.Writer) error {
	c, err := connection.connect()
	if err != nil {
		return err
	}
	checks := doctor.Examine(ctx, c.clients, doctor.Options{Query: c.query(d.target.query), Launch: d.launch, Host: c.config.Host})
	if err := d.print(stdout, checks); err != nil {
		return err
	}
	switch doctor.Worst(checks) {
	case doctor.OK:
		return nil
	case doctor.Failed:
		return errFailed
	}
	return errWarnings
}
