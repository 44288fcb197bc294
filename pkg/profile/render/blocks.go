package render

import "fmt"

// block is a rectangle of a flame graph: a frame, or a run of neighbours that are too narrow to be drawn.
type block struct {
	*node            // nil for a run of narrow frames
	x, width float64 // in pixels or columns
	smaller  int     // number of narrow frames in the run
}

func (b block) label() string {
	if b.node == nil {
		return fmt.Sprintf("(%d smaller)", b.smaller)
	}
	return b.name
}

// layoutBlocks lays out a tree in the given width and returns its rows, the root's first, each from left to right. Neighbours
// narrower than least become one block, and their callees are not laid out, so a row has at most 2*width/least blocks. It stops
// after most rows and reports whether the tree is deeper.
func layoutBlocks(root *node, width, least float64, most int) (rows [][]block, deeper bool) {
	if root.total <= 0 {
		return nil, false
	}
	scale := width / float64(root.total)
	row := []block{{node: root, width: width}}
	for len(row) > 0 {
		if len(rows) == most {
			return rows, true
		}
		rows = append(rows, row)
		var next []block
		for _, parent := range row {
			if parent.node == nil {
				continue
			}
			x := parent.x
			var narrow *block // run that the next narrow frame joins
			for _, c := range parent.children {
				w := float64(c.total) * scale
				switch {
				case w >= least:
					next, narrow = append(next, block{node: c, x: x, width: w}), nil
				case narrow == nil:
					next = append(next, block{x: x, width: w, smaller: 1})
					narrow = &next[len(next)-1]
				default:
					narrow.width += w
					narrow.smaller++
				}
				x += w
			}
		}
		row = next
	}
	return rows, false
}
