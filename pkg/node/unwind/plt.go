package unwind

import "github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"

// pltFunctions describes what nothing else does: arm64's stubs, which put nothing on the stack.
func pltFunctions(f *object.File, a *arch) []function {
	var all []function
	if a != arm64 {
		return nil // on amd64 the linker writes .eh_frame for them
	}
	for _, s := range f.PLT() {
		all = append(all, function{s.Addr, s.Addr + s.Size, func(emit func(uint64, Rule)) error {
			emit(s.Addr, a.frameless(0))
			return nil
		}})
	}
	return all
}
