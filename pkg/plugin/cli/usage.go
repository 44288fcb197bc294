package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/flagusage"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/terminal"
)

// flagGroup is a set of flags with a heading of its own in a command's usage.
type flagGroup struct {
	title string
	*pflag.FlagSet
}

// setUsage sets the usage of a command: its own flags, then groups that it shares with others.
func setUsage(cmd *cobra.Command, groups ...flagGroup) {
	cmd.SetUsageFunc(func(cmd *cobra.Command) error {
		w := cmd.OutOrStderr()
		own := pflag.NewFlagSet("own", pflag.ContinueOnError)
		own.SortFlags = false
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if !slices.ContainsFunc(groups, func(g flagGroup) bool { return g.Lookup(f.Name) != nil }) {
				own.AddFlag(shown(f))
			}
		})
		width := helpWidth(w)
		text := fmt.Sprintf("Usage:\n  kubectl pprof %s\n\nExamples:\n%s\n\nFlags:\n%s",
			strings.TrimPrefix(cmd.Use, "kubectl-pprof "), cmd.Example, own.FlagUsagesWrapped(width))
		for _, g := range groups {
			shared := pflag.NewFlagSet(g.title, pflag.ContinueOnError)
			shared.SortFlags = g.SortFlags
			g.VisitAll(func(f *pflag.Flag) { shared.AddFlag(shown(f)) })
			text += fmt.Sprintf("\n%s:\n%s", g.title, shared.FlagUsagesWrapped(width))
		}
		_, err := io.WriteString(w, text)
		return err
	})
}

// shown returns a flag as the usage lists it.
func shown(f *pflag.Flag) *pflag.Flag { return flagusage.WithOptionalValue(flagusage.WithoutValues(f)) }

// helpWidth returns the terminal's width, or 100 columns for other writers and narrow terminals.
func helpWidth(w io.Writer) int {
	if width := terminal.Columns(w); width > 60 {
		return width
	}
	return 100
}

// arguments returns a check of the number of arguments. most is negative for any number.
func arguments(least, most int, want string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < least || most >= 0 && len(args) > most {
			return usageError{fmt.Errorf("%s; got %d", want, len(args))}
		}
		return nil
	}
}
