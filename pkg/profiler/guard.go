package profiler

import (
	"github.com/spf13/cobra"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/goruntime"
)

// newGuardCommand is what the profiler starts of itself while a program's memory profile is turned on.
func newGuardCommand(s Streams) *cobra.Command {
	return &cobra.Command{
		Use:    goruntime.GuardCommand,
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(*cobra.Command, []string) error { return goruntime.Guard(s.In, s.Out) },
	}
}
