// Package flagusage lists flags in the help of the plugin and the profiler alike. Its entry point is WithoutValues.
package flagusage

import "github.com/spf13/pflag"

// WithoutValues returns a copy of a boolean flag that is listed as --name instead of --name[=true|false]. It returns
// other flags themselves.
func WithoutValues(f *pflag.Flag) *pflag.Flag {
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
