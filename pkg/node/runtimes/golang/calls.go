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
	if len(r.expanded) >= maxExpanded {
		return expansion{call: pc - 1}
	}
	m := r.moduleAt(pc)
	e, at := expansion{call: pc - 1}, pc-m.bias
	place, err := m.table.PlaceOf(at - 1)
	if err != nil || place.End == at {
		if next, err := m.table.PlaceOf(at); err == nil && next.Start == at {
			e.call, place = pc, next
		}
	}
	for _, call := range place.Calls {
		e.parents = append(e.parents, call+1+m.bias)
	}
	r.expanded[pc] = e
	return e
}

// maxExpanded bounds the cached return addresses, some 80 bytes each. Profiles of large programs have
// about 100,000. Of addresses beyond the bound, inlined calls are not told apart.
const maxExpanded = 200_000

// maxPrefetch bounds the addresses that PrefetchCalls sorts.
const maxPrefetch = 2 * maxExpanded

// PrefetchCalls looks up the return addresses of many stacks in ascending order, which reads the
// function table in one pass. It makes later calls of MemStack and BlockStack fast.
func (r *Runtime) PrefetchCalls(stacks [][]uint64) {
	var all []uint64
	for _, pcs := range stacks {
		if all = append(all, pcs...); len(all) > maxPrefetch {
			slices.Sort(all) // most stacks share their callers
			if all = slices.Compact(all); len(all) > maxPrefetch/2 {
				break
			}
		}
	}
	slices.Sort(all)
	for _, pc := range slices.Compact(all) {
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
	if len(r.names) >= maxExpanded {
		return ""
	}
	name := ""
	m := r.moduleAt(address)
	if place, err := m.table.PlaceOf(address - m.bias); err == nil {
		name, _ = m.table.NameOf(place)
	}
	r.names[address] = name
	return name
}
