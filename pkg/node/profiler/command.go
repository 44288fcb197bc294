//go:build linux

// Package profiler is the program inside the profiler image: it samples the target container and
// hands out the profiles. Its one entry point is NewCommand. It must not know Kubernetes' API; all
// it sees of a cluster is the node it runs on.
package profiler

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/version"
)

// Streams are what a command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// NewCommand makes the program's root command.
func NewCommand(s Streams) *cobra.Command {
	root := &cobra.Command{
		Use:               "profiler",
		Short:             "Profile a container from outside, by eBPF",
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
	root.AddCommand(newServeCommand(s), newRelayCommand(s), newRecordCommand(s), newGuardCommand(s), &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(s.Out, version.Version)
			return err
		},
	})
	return root
}
