package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
)

// Print writes the checks as a table, each remedy in a line below its check.
func Print(w io.Writer, checks []Check) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "VERDICT\tCHECK\tDETAIL")
	for _, c := range checks {
		fmt.Fprintf(table, "%s\t%s\t%s\n", c.Verdict, c.Name, c.Detail)
		if c.Remedy != "" {
			fmt.Fprintf(table, "\t\t→ %s\n", c.Remedy)
		}
	}
	return table.Flush()
}

// PrintJSON writes the checks as JSON: {"verdict": WORST, "checks": [{"check", "verdict", "detail",
// "remedy"}]}.
func PrintJSON(w io.Writer, checks []Check) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(struct {
		Verdict Verdict `json:"verdict"`
		Checks  []Check `json:"checks"`
	}{Worst(checks), checks})
}
