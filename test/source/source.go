// Package source reads the Go files of this repository for tests that check what they contain. Its
// entry point is Files.
package source

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// File is a Go file of this repository.
type File struct {
	Path string // below the root of the repository, with slashes
	Text []byte
}

// Files returns the Go files below directories of the repository, except tests and testdata. It
// fails the test if there are fewer than least: a check that finds no files would always pass.
func Files(t testing.TB, least int, dirs ...string) []File {
	t.Helper()
	root := findRoot(t)
	var files []File
	for _, dir := range dirs {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && d.Name() == "testdata":
				return fs.SkipDir
			case d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go"):
				return nil
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			relative, err := filepath.Rel(root, path)
			files = append(files, File{filepath.ToSlash(relative), text})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(files) < least {
		t.Fatalf("found %d Go files below %v, expected at least %d", len(files), dirs, least)
	}
	return files
}

// findRoot returns the root of the repository: the nearest parent directory with a go.mod.
func findRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd() // the directory of the package under test
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("found no go.mod in the working directory and its parents")
		}
		dir = parent
	}
}

// Parse returns the syntax tree of the file. The positions in set have the file's Path.
func (f File) Parse(t testing.TB, set *token.FileSet) *ast.File {
	t.Helper()
	file, err := parser.ParseFile(set, f.Path, f.Text, 0)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// Inspect calls visit for each node of the file's syntax tree, with its position for messages.
func (f File) Inspect(t testing.TB, visit func(n ast.Node, position token.Position)) {
	t.Helper()
	set := token.NewFileSet()
	ast.Inspect(f.Parse(t, set), func(n ast.Node) bool {
		if n != nil {
			visit(n, set.Position(n.Pos()))
		}
		return true
	})
}

// Selected returns "x.Name" for a selector expression whose operand is an identifier, such as the
// name of a package, else "".
func Selected(n ast.Node) string {
	if s, ok := n.(*ast.SelectorExpr); ok {
		if x, ok := s.X.(*ast.Ident); ok {
			return x.Name + "." + s.Sel.Name
		}
	}
	return ""
}
