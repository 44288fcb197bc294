// Package layout tests which of our packages may import which others.
package layout

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module = "github.com/kubectl-pprof/kubectl-pprof"
	root   = "../.."
)

// allowed lists, for each part of the repository, the other parts that its packages may import.
// Test files may import test/ as well. See ARCHITECTURE.md.
var allowed = map[string][]string{
	"pkg/plugin":       {"pkg/wire", "pkg/profile", "pkg/version", "pkg/requirements", "pkg/flagusage"},
	"pkg/node":         {"pkg/wire", "pkg/profile", "pkg/version", "pkg/requirements", "pkg/flagusage"},
	"pkg/wire":         {"pkg/profile", "pkg/version", "pkg/requirements"},
	"pkg/profile":      {"pkg/version", "pkg/requirements"},
	"pkg/version":      {},
	"pkg/requirements": {},
	"pkg/flagusage":    {},
}

func TestImportsStayWithinTheirWing(t *testing.T) {
	files := 0
	err := filepath.WalkDir(filepath.Join(root, "pkg"), func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(file) != ".go" {
			return err
		}
		files++
		relative, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		from := partOf(path.Dir(filepath.ToSlash(relative)))
		may, known := allowed[from]
		if !known {
			t.Errorf("%s: %s has no row in this test's table of allowed imports", relative, from)
			return nil
		}
		for _, imported := range importsOf(t, file) {
			to := partOf(imported)
			if to != from && !slices.Contains(may, to) && !(to == "test" && strings.HasSuffix(file, "_test.go")) {
				t.Errorf("%s imports %s; packages of %s may import only %s and %v", relative, imported, from, from, may)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 100 {
		t.Errorf("found %d Go files below pkg, expected hundreds", files)
	}
}

// partOf returns the part of the repository that holds a directory: pkg/NAME, or else its first element.
func partOf(dir string) string {
	parts := strings.Split(dir, "/")
	if parts[0] == "pkg" && len(parts) > 1 {
		return parts[0] + "/" + parts[1]
	}
	return parts[0]
}

// importsOf returns the directories of our packages that a file imports, whatever its build constraints.
// It reads the file itself, so that the cache of test results notices changes.
func importsOf(t *testing.T, file string) []string {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), file, source, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var ours []string
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if dir, ok := strings.CutPrefix(imported, module+"/"); ok {
			ours = append(ours, dir)
		}
	}
	return ours
}
