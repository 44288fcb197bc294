//go:build linux

package symbol

import (
	"fmt"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/kallsyms"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// nameKernel names kernel code. Without the kernel's symbols the code is named [kernel], and a
// comment on the profile says why.
func (s *symbolizer) nameKernel(locations []*profile.Location) {
	var addresses []uint64
	for _, l := range locations {
		addresses = append(addresses, l.Address)
	}
	symbols, err := kallsyms.Find(addresses)
	if err != nil {
		meta.KernelSymbols.Add(s.out.Profile, fmt.Sprintf("none: %v", err))
	}
	found := map[*profile.Location][]frame{}
	for _, l := range locations {
		f := frame{name: unknownKernel}
		if k, ok := symbols[l.Address]; ok {
			f = frame{name: k.Name, file: k.Module}
		}
		found[l] = []frame{f}
	}
	s.writeFrames(locations, found)
}

// unknownKernel is the name of kernel code without a symbol.
const unknownKernel = "[kernel]"
