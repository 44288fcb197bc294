package terminal

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/test/source"
)

func TestEscape(t *testing.T) {
	for text, want := range map[string]string{
		"plain\ttext\n":                       "plain\ttext\n",
		"größe 大小 😀":                          "größe 大小 😀",
		"\x1b]0;title\a":                      `\x1b]0;title\a`,
		"\x1b[2J\x1b[1;1H":                    `\x1b[2J\x1b[1;1H`,
		"over\rwritten\b\b":                   `over\rwritten\b\b`,
		"\u009b31m":                           `\u009b31m`,
		"\x9b31m":                             `\x9b31m`,
		"\x7f\x00":                            `\x7f\x00`,
		"admin\u202egnp.exe":                  `admin\u202egnp.exe`,
		"a\u200bb\u2028c\ufeff\U000e0041":     `a\u200bb\u2028c\ufeff\U000e0041`,
		"half a character: \xe2\x80":          `half a character: \xe2\x80`,
		`back\slash`:                          `back\slash`,
		"\ufffd is a character":               "\ufffd is a character",
		"\xed\xa0\x80 is half of a surrogate": `\xed\xa0\x80 is half of a surrogate`,
	} {
		if got := string(Escape([]byte(text))); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

// A character that is split between calls stays whole, and an escape sequence harmless.
func TestWriterInParts(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out)
	for _, part := range []string{"\x1b", "]0;", "x\xc2", "\x9b1m", "\xe5", "\xa4", "\xa7", "", "\xe5", "!"} {
		if n, err := fmt.Fprint(w, part); n != len(part) || err != nil {
			t.Errorf("%q: %d, %v", part, n, err)
		}
	}
	if got := out.String(); got != `\x1b]0;x\u009b1m大\xe5!` {
		t.Errorf("got %q", got)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWriterReturnsErrors(t *testing.T) {
	if n, err := NewWriter(broken{}).Write([]byte("x")); n != 0 || err == nil {
		t.Errorf("%d, %v", n, err)
	}
}

func TestUnescaped(t *testing.T) {
	var out bytes.Buffer
	fmt.Fprint(Unescaped(NewWriter(&out)), "\x1b[K")
	fmt.Fprint(Unescaped(&out), "\x1b[K")
	if out.String() != "\x1b[K\x1b[K" {
		t.Errorf("got %q", out.String())
	}
	if Is(&out) || Columns(NewWriter(&out)) != 0 {
		t.Error("a buffer is not a terminal")
	}
}

// The packages of the plugin print to the streams that they are given, which package cli has
// wrapped in Writers. os.Stdout, os.Stderr, fmt.Print and println would bypass them.
func TestNothingBypassesTheWriter(t *testing.T) {
	for _, file := range source.Files(t, 30, "pkg/plugin") {
		file.Inspect(t, func(n ast.Node, position token.Position) {
			name := source.Selected(n)
			if call, ok := n.(*ast.CallExpr); ok {
				if f, ok := call.Fun.(*ast.Ident); ok {
					name = f.Name
				}
			}
			switch name {
			case "os.Stdout", "os.Stderr", "fmt.Print", "fmt.Printf", "fmt.Println", "print", "println":
				t.Errorf("%s: %s bypasses the streams that escape text", position, name)
			}
		})
	}
}
