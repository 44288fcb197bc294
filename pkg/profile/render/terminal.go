package render

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode"

	"github.com/google/pprof/profile"
	"golang.org/x/text/width"
)

// TreeOptions describe the terminal.
type TreeOptions struct {
	Columns int  // width, 0 means 100
	Color   bool // use ECMA-48 sequences for 256 colours
}

// treeRows is the largest number of rows. The other formats show deeper stacks.
const treeRows = 100

func writePlainTree(w io.Writer, p *profile.Profile) error { return WriteTree(w, p, TreeOptions{}) }

// WriteTree draws a flame graph in characters: the root at the top, a row of text for each level of the stacks, siblings in the
// order of their names.
func WriteTree(w io.Writer, p *profile.Profile, o TreeOptions) error {
	if o.Columns == 0 {
		o.Columns = 100
	}
	o.Columns = min(max(o.Columns, 20), 1000)
	out := bufio.NewWriter(w)
	for _, line := range append([]string{title(p)}, subtitles(p)...) {
		if line != "" {
			fmt.Fprintln(out, cells(line, o.Columns))
		}
	}
	root := newTree(p)
	if root.total == 0 {
		fmt.Fprintln(out, EmptyReason(p))
		return out.Flush()
	}
	if o.Color {
		writeTreeLegend(out)
	}
	rows, deeper := layoutBlocks(root, float64(o.Columns), 1, treeRows)
	for _, row := range rows {
		column := 0
		for _, b := range row {
			from, to := int(math.Round(b.x)), int(math.Round(b.x+b.width))
			if to == from {
				continue // narrower than half a column
			}
			out.WriteString(strings.Repeat(" ", from-column))
			writeCells(out, b, to-from, o.Color)
			column = to
		}
		out.WriteByte('\n')
	}
	if deeper {
		fmt.Fprintf(out, "(frames deeper than %d are not drawn)\n", treeRows)
	}
	return out.Flush()
}

// writeCells writes a block of n columns. Without colours, brackets separate neighbours.
func writeCells(out *bufio.Writer, b block, n int, colored bool) {
	switch {
	case b.node == nil:
		label := b.label()
		if len(label) > n {
			label = strings.Repeat("·", n)
		}
		out.WriteString(pad(label, n))
	case colored:
		slant := ""
		if b.inlined {
			slant = ";3"
		}
		fmt.Fprintf(out, "\x1b[30%s;48;5;%dm▏%s\x1b[0m", slant, color256(color(b.frame)), pad(cells(b.name, n-1), n-1))
	case n == 1:
		out.WriteByte('|')
	default:
		out.WriteString("[" + pad(cells(b.name, n-2), n-2) + "]")
	}
}

func writeTreeLegend(out *bufio.Writer) {
	for k := range kindProcess {
		fmt.Fprintf(out, "\x1b[30;48;5;%dm %s \x1b[0m ", color256(legendColor(k)), kindLook[k].word)
	}
	out.WriteByte('\n')
}

// color256 returns the number of the nearest colour in the 6×6×6 cube of terminals with 256 colours, which begins at 16.
func color256(color string) int {
	levels := []int{0, 95, 135, 175, 215, 255}
	number := 16
	for i, value := range rgb(color) {
		nearest := 0
		for l := range levels {
			if abs(levels[l]-int(value)) < abs(levels[nearest]-int(value)) {
				nearest = l
			}
		}
		number += nearest * []int{36, 6, 1}[i]
	}
	return number
}

func abs(n int) int { return max(n, -n) }

// rgb returns the red, green and blue of a colour "#rrggbb".
func rgb(color string) (c [3]uint8) {
	fmt.Sscanf(color, "#%02x%02x%02x", &c[0], &c[1], &c[2])
	return c
}

// cells cuts text on the left so that it fits in a number of terminal columns.
func cells(s string, columns int) string {
	if columnsOf(s) <= columns {
		return s
	}
	if columns < 3 {
		return ""
	}
	runes := []rune(s)
	used, from := 1, len(runes)
	for from > 0 && used+columnsOfRune(runes[from-1]) <= columns {
		from--
		used += columnsOfRune(runes[from])
	}
	return "…" + string(runes[from:])
}

func pad(s string, columns int) string {
	return s + strings.Repeat(" ", max(0, columns-columnsOf(s)))
}

// columnsOf returns the number of terminal columns that text takes.
func columnsOf(s string) (n int) {
	for _, r := range s {
		n += columnsOfRune(r)
	}
	return n
}

// columnsOfRune returns 2 for characters that are wide in East Asian typography (Unicode Standard Annex 11), 0 for combining marks,
// and 1 for others.
func columnsOfRune(r rune) int {
	switch kind := width.LookupRune(r).Kind(); {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case kind == width.EastAsianWide, kind == width.EastAsianFullwidth:
		return 2
	}
	return 1
}
