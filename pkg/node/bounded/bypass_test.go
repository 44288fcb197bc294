package bounded

import (
	"go/ast"
	"go/token"
	"strings"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/test/source"
)

// All code that runs beside the target adds to a profile through this package: nothing else makes a
// mapping, location or function, or appends to the lists of a profile.
func TestNothingBypassesTheLimits(t *testing.T) {
	for _, file := range source.Files(t, 50, "pkg/node") {
		if strings.HasPrefix(file.Path, "pkg/node/bounded/") {
			continue
		}
		file.Inspect(t, func(n ast.Node, position token.Position) {
			switch n := n.(type) {
			case *ast.CompositeLit:
				if name := source.Selected(n.Type); name == "profile.Location" || name == "profile.Function" {
					t.Errorf("%s: use bounded.Profile instead of a literal %s", position, name)
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.Ident); ok && f.Name == "append" && isList(n.Args[0]) {
					t.Errorf("%s: use bounded.Profile instead of append", position)
				}
			}
		})
	}
}

// isList reports whether an expression is a list of a profile: p.Sample or b.Profile.Sample.
func isList(e ast.Expr) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	switch s.Sel.Name {
	case "Sample", "Mapping", "Function":
	case "Location", "Line":
		return source.Selected(s.X) != "" // of a profile; a sample has locations, too
	default:
		return false
	}
	return true
}
