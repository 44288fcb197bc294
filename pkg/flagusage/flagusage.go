// Package flagusage lists flags in the help of the plugin and the profiler alike. Its entry points are
// WithoutValues and WithOptionalValue.
package flagusage

import (
	"strings"

	"github.com/spf13/pflag"
)

// WithoutValues returns a copy of a boolean flag that is listed as --name instead of
// --name[=true|false]. It returns other flags themselves.
func WithoutValues(f *pflag.Flag) *pflag.Flag {
	if f.Value.Type() != "bool" {
		return f
	}
	shown := *f
	shown.Value, shown.NoOptDefVal = untyped{f.Value}, ""
	return &shown
}

// WithOptionalValue returns a copy of a flag whose value may be left out that is listed as --name[=VALUE]
// instead of --name VALUE[="default"]. It returns other flags themselves. The copy has another name, so it
// is only for the help.
func WithOptionalValue(f *pflag.Flag) *pflag.Flag {
	if f.NoOptDefVal == "" || f.Value.Type() != "string" {
		return f
	}
	shown := *f
	name, usage := pflag.UnquoteUsage(f)
	shown.Name, shown.Usage = f.Name+"[="+name+"]", strings.ReplaceAll(usage, "`", "")
	shown.Value, shown.NoOptDefVal = untyped{f.Value}, ""
	return &shown
}

// untyped is a value for which pflag prints no type.
type untyped struct{ pflag.Value }

func (untyped) Type() string { return "" }
