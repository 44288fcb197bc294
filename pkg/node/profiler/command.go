//go:build linux

// Package profiler is the program inside the profiler image. It samples the target container and serves the profiles to the
// plugin; its entry point is NewCommand. It must not use the API of Kubernetes: all it sees of a cluster is its node.
package profiler

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

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
	root.AddCommand(newServeCommand(s), newRelayCommand(s), newRecordCommand(s), newGuardCommand(s), newVersionCommand(s))
	return root
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
