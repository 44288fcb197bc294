package diff

import (
	"bufio"
	"fmt"
	"io"
	"math"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

// tableRows is the largest number of rows of the table.
const tableRows = 40

// WriteTable writes the functions with the largest changes. Changes within the noise of sampling are counted, not listed.
func (d *Diff) WriteTable(w io.Writer) error {
	out := bufio.NewWriter(w)
	total := d.Total()
	fmt.Fprintf(out, "before: %s\nafter:  %s\n", d.sideTotal(d.before), d.sideTotal(d.after))
	switch {
	case total.Before == 0 && total.After == 0:
		fmt.Fprintln(out, "neither profile has samples")
		return out.Flush()
	case total.Before == 0:
		fmt.Fprintln(out, "the first profile has no samples: everything is new")
	case total.After == 0:
		fmt.Fprintln(out, "the second profile has no samples: everything is gone")
	case d.Normalized:
		fmt.Fprintln(out, "compared as shares; changes are percentage points")
	default:
		fmt.Fprintf(out, "change: %s (%+.1f%%)\n", d.quantity(total), 100*d.Delta(total)/float64(total.Before))
	}

	noise, listed := 0, 0
	for _, f := range d.Functions {
		self, cum := d.significant(f.Self), d.significant(f.Cum)
		if !self && !cum {
			if d.Delta(f.Self) != 0 || d.Delta(f.Cum) != 0 {
				noise++
			}
			continue
		}
		if listed++; listed > tableRows {
			continue
		}
		if listed == 1 {
			fmt.Fprintf(out, "\n%10s %10s %10s %10s  function\n", "before", "after", "self", "cum")
		}
		mark := ""
		if f.Cum.New() {
			mark = " (new)"
		} else if f.Cum.isGone() {
			mark = " (removed)"
		}
		fmt.Fprintf(out, "%10s %10s %10s %10s  %s%s\n", d.value(f.Self.Before, d.before), d.value(f.Self.After, d.after),
			d.changeText(f.Self), d.changeText(f.Cum), f.Name, mark)
	}
	switch {
	case listed == 0:
		fmt.Fprintln(out, "\nno function changed by more than the noise of sampling")
	case listed > tableRows:
		fmt.Fprintf(out, "%d more functions changed\n", listed-tableRows)
	}
	if noise > 0 {
		fmt.Fprintf(out, "within what sampling differs by (%d standard deviations): %d\n", deviations, noise)
	}
	return out.Flush()
}

// changeText returns a change as the table shows it: "=" for none, "~" for noise.
func (d *Diff) changeText(c Change) string {
	if !d.significant(c) {
		if d.Delta(c) == 0 {
			return "="
		}
		return "~"
	}
	return d.quantity(c)
}

// quantity returns a change with its sign, in the unit of the values or in percentage points.
func (d *Diff) quantity(c Change) string {
	delta := d.Delta(c)
	if d.Normalized {
		return fmt.Sprintf("%+.2f%%", share(delta, d.normalTotal()))
	}
	text := render.Quantity(int64(math.Round(delta)), d.Unit)
	if delta > 0 {
		return "+" + text
	}
	return text
}

// value returns a value of one side as text.
func (d *Diff) value(v int64, s side) string {
	if d.Normalized {
		return fmt.Sprintf("%.2f%%", share(float64(v), float64(s.total)))
	}
	return render.Quantity(v, d.Unit)
}

// sideTotal returns the total of a side as text, with the pod and container if the profile names them.
func (d *Diff) sideTotal(s side) string {
	text := render.Quantity(s.total, d.Unit)
	if of := render.Subject(s.p); of != "" {
		text += " of " + of
	}
	return text
}

// normalTotal returns the total that normalized values are shares of.
func (d *Diff) normalTotal() float64 {
	if d.after.total != 0 {
		return float64(d.after.total)
	}
	return float64(d.before.total)
}

// share returns 100 * v / of, or 0 if of is 0.
func share(v, of float64) float64 {
	if of == 0 {
		return 0
	}
	return 100 * v / of
}
