package unwind

import "github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"

// pltFunctions describes arm64's PLT stubs, which put nothing on the stack and have no other
// description. For amd64's, the linker writes .eh_frame.
func pltFunctions(f *object.File, a *arch) (all []described, _ error) {
	if a != arm64 {
		return nil, nil
	}
	for _, s := range f.PLT() {
		all = append(all, a.leaf(s.Addr, s.Addr+s.Size))
	}
	return all, nil
}
