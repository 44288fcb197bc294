package embed

import "github.com/kubectl-pprof/kubectl-pprof/pkg/profile/limits"

// callees holds the locations seen so far below each location, in the order of their first appearance. A location calls few
// others, so the rank of a callee among them takes few bits. A new callee is encoded as the difference to the one before. The
// last list belongs to the root.
type callees struct {
	lists [][]int32
	ranks map[[2]int32]uint64
}

func newCallees(locations int) *callees {
	return &callees{lists: make([][]int32, locations+1), ranks: map[[2]int32]uint64{}}
}

// rank returns the rank of a callee below a caller, from 1, or 0 if it is new there.
func (c *callees) rank(caller, callee int32) uint64 { return c.ranks[[2]int32{caller, callee}] }

func (c *callees) add(caller, callee int32) {
	c.lists[caller] = append(c.lists[caller], callee)
	c.ranks[[2]int32{caller, callee}] = uint64(len(c.lists[caller]))
}

// before returns the location to which a new callee is relative: the newest callee, else the caller.
func (c *callees) before(caller int32) int32 {
	if list := c.lists[caller]; len(list) > 0 {
		return list[len(list)-1]
	}
	return caller
}

// writeTree merges sorted stacks, none of which is a prefix of the one before, into a tree. It returns the node of each stack.
// Node 0 is the root, which is not a frame.
func writeTree(w *writer, rows []row, byPlace []int32) []int32 {
	var up, added, ranks writer // columns, filled together and written one after the other
	count, news := 0, 0
	known := newCallees(len(byPlace))
	nodes := make([]int32, len(rows))
	var path []int32 // nodes of the previous stack, from the root
	var last []int32
	for i, r := range rows {
		same := 0
		for same < min(len(last), len(r.stack)) && last[same] == r.stack[same] {
			same++
		}
		climb := uint64(len(path) - same)
		path = path[:same]
		caller := int32(len(byPlace))
		if same > 0 {
			caller = byPlace[r.stack[same-1]]
		}
		for _, place := range r.stack[same:] {
			l := byPlace[place]
			rank := known.rank(caller, l)
			if rank == 0 {
				added.int(int64(l - known.before(caller)))
				known.add(caller, l)
				news++
			}
			up.uint(climb)
			ranks.uint(rank)
			climb, caller = 0, l
			count++
			path = append(path, int32(count))
		}
		if len(path) > 0 {
			nodes[i] = path[len(path)-1]
		}
		last = r.stack
	}
	w.uint(uint64(count))
	w.buf = append(w.buf, up.buf...)
	w.uint(uint64(news))
	w.buf = append(append(w.buf, added.buf...), ranks.buf...)
	return nodes
}

// readTree returns the parent of each node, the index of its location and its depth. Node 0 is the root.
func readTree(r *reader, limit int) (parents, locations, depths []int32) {
	n := r.below(min(uint64(len(r.buf))/2, limits.MaxFrames)+1) + 1
	parents, locations, depths = make([]int32, n), make([]int32, n), make([]int32, n)
	for i := 1; i < n; i++ {
		parent := int32(i - 1)
		for range r.below(uint64(depths[parent]) + 1) {
			parent = parents[parent]
		}
		parents[i], depths[i] = parent, depths[parent]+1
	}
	added := make([]int64, r.count())
	for i := range added {
		added[i] = r.int()
	}
	lists := make([][]int32, limit+1)
	locations[0] = int32(limit)
	for i := 1; i < n; i++ {
		caller := locations[parents[i]]
		list := lists[caller]
		if rank := r.below(uint64(len(list)) + 1); rank > 0 {
			locations[i] = list[rank-1]
			continue
		}
		before := caller
		if len(list) > 0 {
			before = list[len(list)-1]
		}
		if len(added) == 0 {
			r.fail(errShort)
			return
		}
		locations[i] = int32(r.check(uint64(int64(before)+added[0]), uint64(limit)))
		added = added[1:]
		lists[caller] = append(list, locations[i])
	}
	return parents, locations, depths
}
