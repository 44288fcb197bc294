package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/doctor"
)

const doctorExamples = `  # See what stands in the way of profiling a pod
  kubectl pprof doctor web-5d9c7b4f6-x2x8v

  # See what a namespace allows, before there is something to profile
  kubectl pprof doctor -n shop

  # See whether Jobs in another namespace would do
  kubectl pprof doctor deploy/web --job-namespace profiling

  # For a script: the worst verdict
  kubectl pprof doctor deploy/web -o json | jq -r .verdict`

const doctorLong = `Check what the cluster allows, without creating anything: the API server, permissions, ways back,
admission by dry runs, PodSecurity, the pod, its node, the image and the pod's memory.

Each line has a verdict: ok, unknown (it could not be checked), warning (one way of profiling is
closed, or something may go wrong) or failed (no profile can be taken), and the remedy.

Exit codes: 0 all is ok, 1 something failed, 2 wrong usage, 3 something is unknown or a warning.`

func newDoctorCommand(streams genericiooptions.IOStreams) *cobra.Command {
	o := NewOptions(streams)
	format := "table"
	cmd := &cobra.Command{
		Use:                   "doctor [[TYPE/]NAME | NAMESPACE POD [CONTAINER]] [flags]",
		DisableFlagsInUseLine: true,
		Short:                 "Check what the cluster allows, without creating anything",
		Long:                  doctorLong,
		Example:               doctorExamples,
		Args:                  cobra.ArbitraryArgs, // judged by Complete, with a better message
		ValidArgsFunction:     o.completeArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "table" && format != "json" {
				return usageError{fmt.Errorf("--output %q: choose table or json", format)}
			}
			complete := o.Complete
			if len(args) == 0 {
				complete = func([]string) error { return o.completeTypes() }
			}
			if err := complete(args); err != nil {
				return usageError{err}
			}
			return o.examine(cmd.Context(), format)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVarP(&format, "output", "o", format, "`format` of the output: table or json")
	connection := pflag.NewFlagSet("connection", pflag.ContinueOnError)
	o.addContainerFlag(f)
	o.addTypeFlag(f)
	o.addLaunchFlags(f)
	o.config.AddFlags(connection)
	f.AddFlagSet(connection)
	setUsage(cmd, flagGroup{"Connection flags", connection})
	o.addFlagCompletion(cmd)
	return cmd
}

func (o *Options) examine(ctx context.Context, format string) error {
	config, clients, err := o.connect()
	if err != nil {
		return err
	}
	checks := doctor.Examine(ctx, clients, doctor.Options{Query: o.query, Launch: o.launch, Host: config.Host})
	print := doctor.Print
	if format == "json" {
		print = doctor.PrintJSON
	}
	if err := print(o.Out, checks); err != nil {
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
