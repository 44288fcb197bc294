package cli

import (
	"fmt"

	"github.com/spf13/pflag"
)

// verbosity is how much is printed besides the result.
type verbosity struct {
	quiet   bool
	verbose bool
}

func (v *verbosity) addTo(f *pflag.FlagSet) {
	f.BoolVarP(&v.quiet, "quiet", "q", false, "print nothing but errors")
	f.BoolVarP(&v.verbose, "verbose", "v", false, "print each step and how long it took")
}

func (v verbosity) validate() error {
	if v.quiet && v.verbose {
		return fmt.Errorf("--quiet and --verbose exclude each other")
	}
	return nil
}
