package cli

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// repository is the root of the repository, seen from this package.
const repository = "../../.."

// maxReadme is the largest README.md, in bytes; details belong to docs/.
const maxReadme = 9216

func TestReadmeIsShort(t *testing.T) {
	if n := len(readDocument(t, "README.md")); n > maxReadme {
		t.Errorf("README.md has %d bytes; at most %d are allowed: move details to docs/", n, maxReadme)
	}
}

func TestReadmesHaveTheSameCode(t *testing.T) {
	english, chinese := codeBlocks(readDocument(t, "README.md")), codeBlocks(readDocument(t, "README.zh-CN.md"))
	if len(english) == 0 {
		t.Fatal("README.md has no code blocks")
	}
	for i := range max(len(english), len(chinese)) {
		switch {
		case i >= len(chinese):
			t.Errorf("README.zh-CN.md lacks code block %d:\n%s", i+1, english[i])
		case i >= len(english):
			t.Errorf("README.md lacks code block %d:\n%s", i+1, chinese[i])
		case english[i] != chinese[i]:
			t.Errorf("code block %d differs:\n%s\nin README.zh-CN.md:\n%s", i+1, english[i], chinese[i])
		}
	}
}

// TestDocumentLinks checks that relative links in all documents lead to files and headings that
// exist.
func TestDocumentLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, name := range documents(t) {
		for _, match := range link.FindAllStringSubmatch(withoutCode(readDocument(t, name)), -1) {
			if strings.Contains(match[1], "://") || strings.HasPrefix(match[1], "mailto:") {
				continue
			}
			file, heading, _ := strings.Cut(match[1], "#")
			to := path.Join(path.Dir(name), file)
			if file == "" {
				to = name
			}
			if _, err := os.Stat(filepath.Join(repository, to)); err != nil {
				t.Errorf("%s links to %s, which does not exist", name, match[1])
			} else if heading != "" && !slices.Contains(headingAnchors(readDocument(t, to)), heading) {
				t.Errorf("%s links to %s, but %s has no such heading", name, match[1], to)
			}
		}
	}
}

// TestDocumentPaths checks that paths into the source which documents name in code spans exist.
func TestDocumentPaths(t *testing.T) {
	span := regexp.MustCompile("`((?:cmd|pkg|test|docs|profiler-image)/[^` ]*)`")
	for _, name := range documents(t) {
		for _, match := range span.FindAllStringSubmatch(readDocument(t, name), -1) {
			if found, err := filepath.Glob(filepath.Join(repository, match[1])); err != nil || len(found) == 0 {
				t.Errorf("%s names %s, which does not exist", name, match[1])
			}
		}
	}
}

// TestTroubleshootingQuotesMessages checks that the messages in docs/troubleshooting.md occur in the
// source. They are code spans in the first column of a table; an ellipsis stands for what varies.
func TestTroubleshootingQuotesMessages(t *testing.T) {
	source := messagesInSource(t)
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\|")
	for _, match := range row.FindAllStringSubmatch(readDocument(t, "docs/troubleshooting.md"), -1) {
		for part := range strings.SplitSeq(match[1], "…") {
			if part = strings.TrimSpace(part); len(part) > 1 && !strings.Contains(source, part) {
				t.Errorf("docs/troubleshooting.md quotes %q: no source file has %q", match[1], part)
			}
		}
	}
}

// messagesInSource returns the Go source of pkg/ without tests. String literals that are joined by +
// are made one.
func messagesInSource(t *testing.T) string {
	var source strings.Builder
	walkRepository(t, "pkg", func(name string) {
		if strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			source.WriteString(readDocument(t, name))
		}
	})
	return regexp.MustCompile(`"\s*\+\s*"`).ReplaceAllString(source.String(), "")
}

// documents returns the paths of all Markdown files, relative to the root of the repository.
func documents(t *testing.T) (names []string) {
	walkRepository(t, ".", func(name string) {
		if strings.HasSuffix(name, ".md") {
			names = append(names, name)
		}
	})
	return names
}

// walkRepository calls visit for each file below a directory, except for build results and hidden
// directories.
func walkRepository(t *testing.T, directory string, visit func(name string)) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(repository), directory, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (name == "out" || name != "." && strings.HasPrefix(entry.Name(), ".")):
			return fs.SkipDir
		case !entry.IsDir():
			visit(name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func readDocument(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	fencedCode = regexp.MustCompile("(?ms)^```.*?^```$")
	inlineCode = regexp.MustCompile("`[^`\n]*`")
)

func codeBlocks(text string) []string { return fencedCode.FindAllString(text, -1) }

func withoutCode(text string) string {
	return inlineCode.ReplaceAllString(fencedCode.ReplaceAllString(text, ""), "")
}

// headingAnchors returns the anchors that GitHub gives to a document's headings: lower case, spaces
// as hyphens, no punctuation, and a number after those that occur again.
func headingAnchors(text string) (anchors []string) {
	seen := map[string]int{}
	for line := range strings.Lines(fencedCode.ReplaceAllString(text, "")) {
		title := strings.TrimLeft(line, "#")
		if title == line || !strings.HasPrefix(title, " ") {
			continue
		}
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(title))
		if n := seen[anchor]; n > 0 {
			anchors = append(anchors, fmt.Sprintf("%s-%d", anchor, n))
		} else {
			anchors = append(anchors, anchor)
		}
		seen[anchor]++
	}
	return anchors
}
