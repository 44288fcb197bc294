package render

import (
	"cmp"
	"slices"
)

// ranking returns the n functions with the largest values of their own, over all frames of the tree.
func (f *flame) ranking(n int) []Entry {
	flat, cum := make([]int64, len(f.frames)), make([]int64, len(f.frames))
	inside := make([]int32, len(f.frames)) // end of the outermost open node of a frame: a recursion counts once
	for i := range f.total {
		at := f.frame[i]
		flat[at] += f.self[i]
		if int32(i) >= inside[at] {
			cum[at] += f.total[i]
			inside[at] = f.end[i]
		}
	}
	var all []Entry
	for i, fr := range f.frames {
		if flat[i] > 0 && fr.kind != kindProcess && fr.kind != kindThread {
			all = append(all, Entry{fr.name, flat[i], cum[i]})
		}
	}
	slices.SortFunc(all, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(b.Flat, a.Flat), cmp.Compare(b.Cum, a.Cum), cmp.Compare(a.Name, b.Name))
	})
	return all[:min(n, len(all))]
}
