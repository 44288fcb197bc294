package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

func TestSummary(t *testing.T) {
	for _, test := range []struct {
		name, files string
		want        []string
		not         string
		failed      bool
	}{
		{
			name: "skipped tests are counted by reason",
			files: `
-- a_test.go --
package a

import "testing"

func TestOne(t *testing.T)  { t.Skip("left out: it needs root") }
func TestTwo(t *testing.T)  { t.Log("first"); t.Run("part", func(t *testing.T) { t.Skip("left out: it needs root") }) }
func TestGood(t *testing.T) { t.Log("nobody needs to see this") }
`,
			want: []string{"ok  \texample\t", "left out: 2 tests: it needs root\n"},
			not:  "nobody needs",
		},
		{
			name: "a failing test is printed with its log",
			files: `
-- a_test.go --
package a

import "testing"

func TestBad(t *testing.T) { t.Error("this went wrong") }
`,
			want: []string{"this went wrong\n", "FAIL\texample\t"}, failed: true,
		},
		{
			name: "a package that does not compile is a failure",
			files: `
-- a_test.go --
package a

func wrong() { undefined() }
`,
			want: []string{"undefined: undefined"}, failed: true,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			failed, err := summarize(strings.NewReader(goTest(t, test.files)), &out)
			if err != nil {
				t.Fatal(err)
			}
			if failed != test.failed {
				t.Errorf("reported failure: %v, want %v", failed, test.failed)
			}
			for _, want := range test.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no %q in:\n%s", want, &out)
				}
			}
			if test.not != "" && strings.Contains(out.String(), test.not) {
				t.Errorf("%q in:\n%s", test.not, &out)
			}
		})
	}
}

// goTest returns what `go test -json` prints for a module made of the files of a txtar archive.
func goTest(t *testing.T, files string) string {
	t.Helper()
	dir := t.TempDir()
	if err := txtar.Write(txtar.Parse([]byte(files+"-- go.mod --\nmodule example\n")), dir); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "test", "-json", "./...")
	cmd.Dir = dir
	out, err := cmd.Output()
	if _, failed := err.(*exec.ExitError); err != nil && !failed {
		t.Fatal(err)
	}
	return string(out)
}
