//go:build linux

package symbol

import (
	"fmt"
	"slices"

	"github.com/google/pprof/profile"
)

// kernel names kernel code. Where the list cannot be had, the profile is as good without: its comments
// say why.
func (s *symbolizer) kernel(locations []*profile.Location) {
	var addresses []uint64
	for _, l := range locations {
		addresses = append(addresses, l.Address)
	}
	slices.Sort(addresses)
	symbols, err := kernelSymbols(slices.Compact(addresses))
	switch {
	case err != nil:
		s.profile.Comments = append(s.profile.Comments, fmt.Sprintf("kernel symbols: none: %v", err))
	case len(symbols) == 0:
		s.profile.Comments = append(s.profile.Comments, "kernel symbols: hidden by the sysctl kernel.kptr_restrict")
	}
	found := map[*profile.Location][]frame{}
	for _, l := range locations {
		f := frame{name: "[kernel]", system: "[kernel]"}
		if k, ok := symbols[l.Address]; ok {
			f = frame{name: k.name, system: k.name, file: k.module}
		}
		found[l] = []frame{f}
	}
	s.locations(locations, found)
}
