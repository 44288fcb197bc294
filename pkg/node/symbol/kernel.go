//go:build linux

package symbol

import (
	"fmt"
	"os"
	"slices"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// nameKernel names kernel code. Without the kernel's symbols the code is named [kernel], and a
// comment on the profile says why.
func (s *symbolizer) nameKernel(locations []*profile.Location) {
	var addresses []uint64
	for _, l := range locations {
		addresses = append(addresses, l.Address)
	}
	slices.Sort(addresses)
	symbols, err := readKallsyms(slices.Compact(addresses))
	switch {
	case err != nil:
		meta.KernelSymbols.Add(s.out.Profile, fmt.Sprintf("none: %v", err))
	case len(symbols) == 0:
		meta.KernelSymbols.Add(s.out.Profile, "hidden by the sysctl kernel.kptr_restrict")
	}
	found := map[*profile.Location][]frame{}
	for _, l := range locations {
		f := frame{name: unknownKernel}
		if k, ok := symbols[l.Address]; ok {
			f = frame{name: k.name, file: k.module}
		}
		found[l] = []frame{f}
	}
	s.writeFrames(locations, found)
}

// unknownKernel is the name of kernel code without a symbol.
const unknownKernel = "[kernel]"

// readKallsyms finds the kernel functions of the sorted addresses. The result is empty if the
// kernel hides addresses by the sysctl kernel.kptr_restrict: they are all 0 then.
func readKallsyms(addresses []uint64) (map[uint64]kernelSymbol, error) {
	f, err := os.Open("/proc/kallsyms")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parseKallsyms(f, addresses)
}
