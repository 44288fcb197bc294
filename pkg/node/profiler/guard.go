//go:build linux

package profiler

import (
	"github.com/spf13/cobra"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang"
)

// newGuardCommand returns the hidden command that the profiler runs as a child process while a program's memory profile is
// turned on. The child restores the program's setting even if the profiler is killed.
func newGuardCommand() *cobra.Command {
	return &cobra.Command{
		Use:    golang.GuardCommand,
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(*cobra.Command, []string) error { return golang.RunGuard() },
	}
}
