package render

import "fmt"

// block is a rectangle of a flame graph: a frame, or neighbours too narrow to be drawn one by one.
type block struct {
	*node            // nil for the narrow ones
	x, width float64 // in pixels or columns
	smaller  int     // how many narrow ones it stands for
}

func (b block) label() string {
	if b.node == nil {
		return fmt.Sprintf("(%d smaller)", b.smaller)
	}
	return b.name
}

// blocks lays a tree out in the width and gives its rows, the root's first, each from left to right. Neighbours
// narrower than least become one block that says how many they are, and what they call is not drawn; so
// a row has at most 2*width/least blocks, whatever the tree. It stops after the given number of rows
// and tells whether there would have been more.
func blocks(root *node, width, least float64, most int) (rows [][]block, deeper bool) {
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
			var narrow *block // that the next narrow one joins
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
