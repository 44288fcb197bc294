// Package cli is the kubectl plugin at the terminal: flags, the order of the steps, progress,
// results and errors as people see them. Its entry point is Main. It must not know how a profile
// is made; it only strings together the packages that do the steps.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/klog/v2"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/version"
)

const long = `Profile a running container: where it spends its CPU, memory or waiting time, as a flame graph.

Nothing is needed in the image or the program. A profiler is started beside the container, as an
ephemeral container of its pod; where the cluster does not allow that, as a Job on its node. All
processes of the container are sampled, and the profiler ends when the profile is taken.

Ctrl-C ends the profile early and still writes it; a second Ctrl-C quits at once.

Several types of profile are taken at once, each into a file of its own. Those of Go programs are read
from the runtime's own data in their memory; nothing is written there without --enable-memprofile.

Other commands, each with a --help of its own: serve is an endpoint like that of net/http/pprof, convert,
top, diff and view read profiles from files, doctor says what the cluster allows, rbac prints the
permissions that are needed. A pod with such a name is pod/NAME.

Exit codes: 0 the profile is written, 1 error, 2 wrong usage, 3 what is written is partial or not of all
types, 130 interrupted, nothing written.`

const examples = `  # Profile the default container of a pod for 30 seconds; the flame graph is an SVG file
  kubectl pprof web-5d9c7b4f6-x2x8v

  # Profile a container of a ready pod of a deployment for 10 seconds and open the flame graph
  kubectl pprof deploy/web -c app -d 10s --open

  # Name the namespace, the pod and the container, and the file to write
  kubectl pprof shop web-0 app -o out/web.svg

  # Take three types of profile in one go; of a program that imports no pprof package memory as well
  kubectl pprof deploy/web --type heap,goroutine,cpu --enable-memprofile

  # Write the profile in two formats, and look at it in the browser
  kubectl pprof sts/web -o web.svg -o web.pb.gz && kubectl pprof view web.pb.gz --open

  # See what a Job would look like that profiles from a namespace that admits privileged pods
  kubectl pprof svc/web --job --job-namespace profiling --dry-run`

// NewCommand makes the command. Its RunE returns the errors that Main prints.
func NewCommand(streams genericiooptions.IOStreams, signals <-chan os.Signal) *cobra.Command {
	p := newProfileFlags(streams.Out)
	cmd := &cobra.Command{
		Use:                   "kubectl-pprof ([TYPE/]NAME | NAMESPACE POD [CONTAINER]) [flags]",
		DisableFlagsInUseLine: true,
		Annotations:           map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl pprof"},
		Short:                 "Profile a running container",
		Long:                  long,
		Example:               examples,
		Version:               version.Version,
		SilenceErrors:         true,
		SilenceUsage:          true,
		Args:                  cobra.ArbitraryArgs, // judged by plan, with a better message
		ValidArgsFunction:     completer{p.connection}.completeTarget,
		RunE: func(cmd *cobra.Command, args []string) error {
			plan, err := p.plan(args, streams.Out)
			if err != nil {
				return usageError{err}
			}
			ctx, early, done := handleSignals(cmd.Context(), signals)
			defer done()
			return plan.run(ctx, early, p.connection, streams)
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	cmd.SetIn(streams.In)
	cmd.SetOut(streams.Out)
	cmd.SetErr(streams.ErrOut)
	p.addTo(cmd)
	// A pod with a command's name is pod/NAME.
	cmd.AddCommand(newConvertCommand(streams), newTopCommand(streams), newDiffCommand(streams, signals), newViewCommand(streams, signals), newServeCommand(streams, signals), newDoctorCommand(streams), newRBACCommand(streams))
	cmd.CompletionOptions.DisableDefaultCmd = true // kubectl has its own
	return cmd
}

// completionCommand is the name under which kubectl looks for a plugin's shell completion; a link of that
// name to the plugin will do.
const completionCommand = "kubectl_complete-pprof"

// Main runs the plugin with the arguments of its process, its name being the first, and returns
// the exit code.
func Main(args []string, streams genericiooptions.IOStreams, signals <-chan os.Signal) int {
	klog.SetLogger(logr.Discard()) // client-go logs what it also returns as an error
	cmd := NewCommand(streams, signals)
	if filepath.Base(args[0]) == completionCommand {
		args[0] = cobra.ShellCompRequestCmd
	} else {
		args = args[1:]
	}
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(context.Background())
	if err != nil {
		fmt.Fprintf(streams.ErrOut, "error: %s\n", explain(err))
		if errors.As(err, new(usageError)) {
			fmt.Fprintln(streams.ErrOut, "See 'kubectl pprof --help' for usage.")
		}
	}
	return exitCode(err)
}
