//go:build linux

package golang

import "slices"

// expansion is what the function table contains for a return address.
type expansion struct {
	call    uint64   // an address within the call, in the process
	parents []uint64 // for each function inlined there, innermost first: the return address that stacks contain for its caller
}

// expand looks up a return address as runtime.(*Frames).Next does (runtime/symtab.go): at the byte
// before it, unless that byte is in another function.
func (r *Runtime) expand(pc uint64) expansion {
	if e, ok := r.expanded[pc]; ok {
		return e
	}
	e, at := expansion{call: pc - 1}, pc-r.bias
	place, err := r.table.PlaceOf(at - 1)
	if err != nil || place.End == at {
		if next, err := r.table.PlaceOf(at); err == nil && next.Start == at {
			e.call, place = pc, next
		}
	}
	for _, call := range place.Calls {
		e.parents = append(e.parents, call+1+r.bias)
	}
	if len(r.expanded) < maxExpanded {
		r.expanded[pc] = e
	}
	return e
}

// maxExpanded bounds the cached return addresses. Profiles of large programs have about 100,000.
const maxExpanded = 1 << 20

// PrefetchCalls looks up the return addresses of many stacks in ascending order, which reads the
// function table in one pass. It makes later calls of MemStack and BlockStack fast.
func (r *Runtime) PrefetchCalls(stacks [][]uint64) {
	var all []uint64
	seen := map[uint64]bool{}
	for _, pcs := range stacks {
		for _, pc := range pcs {
			if !seen[pc] {
				seen[pc] = true
				all = append(all, pc)
			}
		}
	}
	slices.Sort(all)
	for _, pc := range all {
		r.expand(pc)
	}
}

// calls converts the return addresses of a stack, leaf first, to call addresses. Each call address
// stands for the functions inlined there, too. The runtime's stacks also contain pseudo addresses
// for the callers of inlined functions; those are left out, because the function table lists the
// callers at the address before them.
func (r *Runtime) calls(pcs []uint64) []uint64 {
	var calls []uint64
	for i := 0; i < len(pcs); {
		e := r.expand(pcs[i])
		i++
		calls = append(calls, e.call)
		for _, parent := range e.parents {
			if i < len(pcs) && pcs[i] == parent {
				i++
			}
		}
	}
	return calls
}

// nameAt returns the name of the innermost function at an address of the process, "" if it is not
// Go code.
func (r *Runtime) nameAt(address uint64) string {
	if name, ok := r.names[address]; ok {
		return name
	}
	name := ""
	if place, err := r.table.PlaceOf(address - r.bias); err == nil {
		name, _ = r.table.NameOf(place)
	}
	if len(r.names) < maxExpanded {
		r.names[address] = name
	}
	return name
}
