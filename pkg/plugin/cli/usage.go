package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// flagGroup is flags that stand by themselves in a command's usage.
type flagGroup struct {
	title string
	*pflag.FlagSet
}

// setUsage prints the command's own flags before groups that it shares with others.
func setUsage(cmd *cobra.Command, groups ...flagGroup) {
	cmd.SetUsageFunc(func(cmd *cobra.Command) error {
		w := cmd.OutOrStderr()
		own := pflag.NewFlagSet("own", pflag.ContinueOnError)
		own.SortFlags = false
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if !slices.ContainsFunc(groups, func(g flagGroup) bool { return g.Lookup(f.Name) != nil }) {
				own.AddFlag(withoutChoice(f))
			}
		})
		width := helpWidth(w)
		text := fmt.Sprintf("Usage:\n  kubectl pprof %s\n\nExamples:\n%s\n\nFlags:\n%s",
			strings.TrimPrefix(cmd.Use, "kubectl-pprof "), cmd.Example, own.FlagUsagesWrapped(width))
		for _, g := range groups {
			shared := pflag.NewFlagSet(g.title, pflag.ContinueOnError)
			shared.SortFlags = g.SortFlags
			g.VisitAll(func(f *pflag.Flag) { shared.AddFlag(withoutChoice(f)) })
			text += fmt.Sprintf("\n%s:\n%s", g.title, shared.FlagUsagesWrapped(width))
		}
		_, err := io.WriteString(w, text)
		return err
	})
}

// withoutChoice returns a copy of a flag that is listed as --name, not as --name[=true|false], if it is a boolean.
func withoutChoice(f *pflag.Flag) *pflag.Flag {
	if f.Value.Type() != "bool" {
		return f
	}
	shown := *f
	shown.Value, shown.NoOptDefVal = untyped{f.Value}, ""
	return &shown
}

// untyped is a value for which pflag prints no type.
type untyped struct{ pflag.Value }

func (untyped) Type() string { return "" }

// helpWidth is the terminal's width, 100 columns elsewhere.
func helpWidth(w io.Writer) int {
	if f, ok := w.(interface{ Fd() uintptr }); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 60 {
			return width
		}
	}
	return 100
}
