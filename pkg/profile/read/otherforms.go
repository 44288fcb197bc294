package read

import (
	"bytes"
	"fmt"
	"regexp"
)

// otherForms are forms that are not read, with what helps. They are looked for only in files that could not be read.
var otherForms = []struct {
	is   *regexp.Regexp
	what string
}{
	{regexp.MustCompile(`^PK\x03\x04`), "this is a ZIP archive: unpack it first, and read a file in it"},
	{regexp.MustCompile(`(?s)^.{257}ustar`), "this is a tar archive: unpack it first, and read a file in it"},
	{regexp.MustCompile(`^FLR\x00`), "this is a recording of Java Flight Recorder: convert it to folded stacks with async-profiler's jfrconv (jfrconv -o collapsed FILE), and read the result"},
	{regexp.MustCompile(`^go 1\.\d+ trace\x00`), "this is an execution trace of Go, not a profile: convert it with go tool trace -pprof=TYPE FILE, or look at it with go tool trace"},
	{regexp.MustCompile(`^\x7fELF`), "this is a program or a core dump, not a profile"},
	{regexp.MustCompile(`^\x1f[^\x00-\x7f]`), "this file was compressed, and then changed by a program that took it for text, as PowerShell's > does: write it anew with an option of the program (-o FILE), or with cmd /c"},
	{regexp.MustCompile(`(?m)\A\s*goroutine \d+ (?:gp=\S+ .*)?\[[^\]]+\]:\r?$`), "this is a traceback of Go (goroutine?debug=2): take the profile with goroutine?debug=1, or without debug"},
	{regexp.MustCompile(`^heap_v2/\d+`), "this is a heap profile of jemalloc: convert it with jeprof --collapsed PROGRAM FILE (or jeprof --raw), and read the result"},
	{regexp.MustCompile(`^\s*\{[^{}]*"(?:\$schema"\s*:\s*"https://www\.speedscope\.app|nodes"|traceEvents")`), "this is a profile of speedscope or Chrome, which is not read: read the profile that it was made from, or export folded stacks or pprof"},
	{regexp.MustCompile(`^\s*[\[{]`), "this is JSON, which is not read: read the profile that it was made from (SVG and HTML of kubectl pprof contain theirs)"},
	{regexp.MustCompile(`(?m)^[^;\n]+(?:;[^;\n]+)+ \d+,\d+\r?$`), "these are folded stacks whose numbers have commas: write them with a decimal point, and without commas between thousands"},
	{regexp.MustCompile(`(?m)^[^;\n]+(?:;[^;\n]+)+ [\d.]+ ?%\r?$`), "these are folded stacks with percentages: write them with numbers"},
}

// compressors are the programs that compressed files that begin so. They are no text, which expressions could match.
var compressors = []struct{ magic, name string }{
	{"\x28\xb5\x2f\xfd", "zstd"},
	{"\xfd7zXZ\x00", "xz"},
	{"BZh", "bzip2"},
	{"\x04\x22\x4d\x18", "lz4"},
}

// otherFormSearch is the number of bytes by which other forms are recognised.
const otherFormSearch = 4 << 10

// explainForm returns an error that says what a file is that could not be read, or the given error if that is unknown.
func explainForm(data []byte, err error) error {
	head := data[:min(len(data), otherFormSearch)]
	for _, c := range compressors {
		if bytes.HasPrefix(head, []byte(c.magic)) {
			return fmt.Errorf("this file is compressed by %s: decompress it first (%s -d FILE)", c.name, c.name)
		}
	}
	for _, f := range otherForms {
		if f.is.Match(head) {
			return fmt.Errorf("%s", f.what)
		}
	}
	return err
}

// isGzip reports whether data begins as gzipped files do (RFC 1952).
func isGzip(data []byte) bool { return bytes.HasPrefix(data, []byte{0x1f, 0x8b}) }
