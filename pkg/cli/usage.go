package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// setUsage prints the command's own flags before those that every kubectl command has.
func setUsage(cmd *cobra.Command, connection *pflag.FlagSet) {
	cmd.SetUsageFunc(func(cmd *cobra.Command) error {
		w := cmd.OutOrStderr()
		own := pflag.NewFlagSet("own", pflag.ContinueOnError)
		own.SortFlags = false
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if connection.Lookup(f.Name) == nil {
				own.AddFlag(f)
			}
		})
		width := helpWidth(w)
		_, err := fmt.Fprintf(w, "Usage:\n  kubectl pprof %s\n\nExamples:\n%s\n\nFlags:\n%s\nConnection flags:\n%s",
			strings.TrimPrefix(cmd.Use, "kubectl-pprof "), cmd.Example, own.FlagUsagesWrapped(width), connection.FlagUsagesWrapped(width))
		return err
	})
}

// helpWidth is the terminal's width, 100 columns elsewhere.
func helpWidth(w io.Writer) int {
	if f, ok := w.(interface{ Fd() uintptr }); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 60 {
			return width
		}
	}
	return 100
}
