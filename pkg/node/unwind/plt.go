package unwind

import (
	"debug/elf"
	"strings"
)

// pltFunctions describes what nothing else does: arm64's stubs, which put nothing on the stack.
func pltFunctions(f *elf.File, a *arch) []function {
	var all []function
	if a != arm64 {
		return nil // on amd64 the linker writes .eh_frame for them
	}
	for _, s := range f.Sections {
		if strings.HasPrefix(s.Name, ".plt") && s.Flags&elf.SHF_EXECINSTR != 0 && s.Addr+s.Size > s.Addr {
			all = append(all, function{s.Addr, s.Addr + s.Size, func(emit func(uint64, Rule)) error {
				emit(s.Addr, a.frameless(0))
				return nil
			}})
		}
	}
	return all
}
