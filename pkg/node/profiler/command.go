//go:build linux

// Package profiler is the program inside the profiler image. It samples the target container and serves the profiles to the
// plugin; its entry point is NewCommand. It must not use the API of Kubernetes: all it sees of a cluster is its node.
package profiler

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/flagusage"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/version"
)

// Streams are a command's standard streams.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// NewCommand returns the program's root command.
func NewCommand(s Streams) *cobra.Command {
	root := &cobra.Command{
		Use:               "profiler",
		Short:             "Profile a container from outside with eBPF",
		Long:              longHelp,
		Example:           recordExamples,
		Version:           version.Version,
		Args:              cobra.NoArgs,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	root.SetUsageFunc(usage(root.UsageFunc()))
	root.AddCommand(newServeCommand(s), newRelayCommand(s), newRecordCommand(s), newGuardCommand(), newVersionCommand(s))
	return root
}

// usage returns a function that prints the standard usage, but without the values of boolean flags.
func usage(standard func(*cobra.Command) error) func(*cobra.Command) error {
	return func(cmd *cobra.Command) error {
		originals := map[*pflag.Flag]pflag.Flag{}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			originals[f] = *f
			*f = *flagusage.WithoutValues(f)
		})
		defer func() {
			for f, original := range originals {
				*f = original
			}
		}()
		return standard(cmd)
	}
}

func newVersionCommand(s Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(s.Out, version.Version)
			return err
		},
	}
}
