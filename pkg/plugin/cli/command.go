// Package cli is the command line of the kubectl plugin. Main parses the arguments, runs the
// command, and prints progress, results and errors. Other packages do the work; cli must not depend
// on how a profile is taken.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/klog/v2"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/terminal"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/version"
)

const long = `Profile a running container, and write a flame graph of where it spends CPU time, memory or waiting time.

The image and the program need no changes. The profiler runs as an ephemeral container in the container's
pod or, if the cluster does not allow that, as a Job on its node. It samples all processes of the container
and exits when the profile is complete.

Ctrl-C stops sampling and writes the profile so far; a second Ctrl-C quits at once.

Several types of profile can be taken at the same time, each written to a file of its own. The types heap,
allocs, goroutine, mutex and block are for Go programs: they are read from the program's memory, which
changes only with --enable-memprofile.

Other commands, each with its own --help: serve exposes net/http/pprof endpoints for a container; convert,
top, diff and view work with profiles in files; doctor checks what the cluster allows; rbac prints the
permissions that profiling needs. For a pod with the name of a command write pod/NAME.

Exit codes: 0 the profile is written; 1 error; 2 wrong usage; 3 the profile is partial, or some types are
missing; 130 interrupted, and nothing is written.`

const examples = `  # Profile the default container of a pod for 30 seconds and write the flame graph as SVG
  kubectl pprof web-5d9c7b4f6-x2x8v

  # Profile a container in a ready pod of a deployment for 10 seconds and open the flame graph
  kubectl pprof deploy/web -c app -d 10s --open

  # Name the namespace, the pod, the container and the file to write
  kubectl pprof shop web-0 app -o out/web.svg

  # Take three types of profile at once; turn the heap profile on if the program has it turned off
  kubectl pprof deploy/web --type heap,goroutine,cpu --enable-memprofile

  # Write the profile in two formats and look at it in the browser
  kubectl pprof sts/web -o web.svg -o web.pb.gz && kubectl pprof view web.pb.gz --open

  # Print the Job that would be created in a namespace that admits privileged pods
  kubectl pprof svc/web --job --job-namespace profiling --dry-run`

// newCommand returns the plugin's command with its subcommands. RunE returns the errors that Main
// prints.
func newCommand(streams genericiooptions.IOStreams, signals <-chan os.Signal) *cobra.Command {
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
		Args:                  cobra.ArbitraryArgs, // plan checks them, with better messages
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
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{explainValue(err)} })
	cmd.SetIn(streams.In)
	cmd.SetOut(streams.Out)
	cmd.SetErr(streams.ErrOut)
	p.addTo(cmd)
	cmd.AddCommand(
		newServeCommand(streams, signals),
		newDiffCommand(streams, signals),
		newConvertCommand(streams),
		newTopCommand(streams),
		newViewCommand(streams, signals),
		newDoctorCommand(streams),
		newRBACCommand(streams),
	)
	cmd.CompletionOptions.DisableDefaultCmd = true // kubectl has its own
	return cmd
}

// completionCommand is the name of the program that kubectl calls for this plugin's shell completion. A
// link with that name to the plugin suffices.
const completionCommand = "kubectl_complete-pprof"

// Main runs the plugin and returns its exit code. args are the arguments of the process, starting
// with its name.
func Main(args []string, streams genericiooptions.IOStreams, signals <-chan os.Signal) int {
	klog.SetLogger(logr.Discard()) // client-go logs what it also returns as an error
	// Messages contain text of the cluster, the target and the profiler. Results that are not for a
	// terminal stay as they are.
	streams.ErrOut = terminal.NewWriter(streams.ErrOut)
	if terminal.Is(streams.Out) {
		streams.Out = terminal.NewWriter(streams.Out)
	}
	log.SetOutput(streams.ErrOut) // net/http reports failed connections there
	cmd := newCommand(streams, signals)
	if filepath.Base(args[0]) == completionCommand {
		args[0] = cobra.ShellCompRequestCmd
	} else {
		args = args[1:]
	}
	cmd.SetArgs(args)
	cmd, err := cmd.ExecuteContextC(context.Background())
	if err != nil {
		printError(streams.ErrOut, cmd, err)
	}
	return exitCode(err)
}

func printError(w io.Writer, cmd *cobra.Command, err error) {
	fmt.Fprintf(w, "error: %s\n", explain(err))
	if errors.As(err, new(usageError)) {
		fmt.Fprintf(w, "See '%s --help' for usage.\n", cmd.CommandPath())
	}
}
