package view

import (
	"flag"
	"io"
)

// flags is the command line for the driver, which would otherwise parse that of this process.
type flags struct {
	*flag.FlagSet
	args []string
}

func newFlags(args ...string) flags {
	f := flags{flag.NewFlagSet("pprof", flag.ContinueOnError), args}
	f.SetOutput(io.Discard)
	return f
}

func (f flags) StringList(name, def, usage string) *[]*string {
	return &[]*string{f.String(name, def, usage)}
}

func (flags) ExtraUsage() string     { return "" }
func (flags) AddExtraUsage(_ string) {}

func (f flags) Parse(func()) []string {
	if err := f.FlagSet.Parse(f.args); err != nil {
		return nil
	}
	return f.Args()
}
