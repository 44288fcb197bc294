package read

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// stacks returns the samples of a profile as sorted lines: the names from the root, then the values.
func stacks(p *profile.Profile) string {
	var lines []string
	for _, s := range p.Sample {
		var names []string
		for _, l := range slices.Backward(s.Location) {
			for _, line := range slices.Backward(l.Line) {
				names = append(names, line.Function.Name)
			}
		}
		lines = append(lines, fmt.Sprint(strings.Join(names, ";"), " ", s.Value))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestFoldedLines(t *testing.T) {
	const two = "main;parse [3]\nmain;scan [2]"
	for name, c := range map[string]struct {
		data, want, note string
	}{
		"white space at the end":   {"main;parse 3 \nmain;scan 2\t\r\n", two, ""},
		"white space elsewhere":    {"  main;parse   3\n\n\tmain;scan\t2\n \n", two, ""},
		"a bad line":               {"main;parse 3\nTraceback: wrong\nmain;scan 2\n", two, `1 line was left out, because it is not a stack followed by a number: line 2, "Traceback: wrong"`},
		"a bad line first":         {"Recording…\nmain;parse 3\nmain;scan 2\n", two, "line 1"},
		"bad lines":                {"main;parse 3\nx\nmain;scan 2\nmain;other inf\n", two, "2 lines were left out"},
		"cut in a stack":           {"main;parse 3\nmain;scan 2\nmain;ot", two, "the file may be cut off"},
		"no newline at the end":    {"main;parse 3\nmain;scan 2", two, ""},
		"huge numbers":             {"main;parse 3\nmain;scan 2\nx 99999999999999999999\n", two, "line 3"},
		"comments":                 {"# a b 5\n#\n#!/bin/x\nmain;parse 3\nmain;scan 2\n", two, ""},
		"marks inside a file":      {"main;parse 3\n\uFEFFmain;scan 2\n", two, ""},
		"a stack without frames":   {"run;loop 5\n 4\nrun 1\n", " [4]\nrun [1]\nrun;loop [5]", ""},
		"frames that begin with #": {"#<Class:0x0f>#call (a.rb:3);each 5\n#foo;b 1\nmain 2\n", "#<Class:0x0f>#call (a.rb:3);each [5]\n#foo;b [1]\nmain [2]", ""},
		"marks of frames": {"a_[j];b_[i];c_[k] 1\na_[0];b_[1];c_[k] 2\na_[i];b;c_[k] 3\na;b_[j];c_[k] 4\na_[w];b;c_[k] 5\n",
			"a;b;c [15]", ""},
		"what is no mark": {"a_[x];_[j];b[1] 1\n", "a_[x];_[j];b[1] [1]", ""},
		"negative":        {"a 5\nb -3\nb -1\n", "a [5]\nb [-4]", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := readText(t, c.data)
			if got := stacks(p); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			checkNotes(t, p.Comments, c.note)
		})
	}
}

func TestKernelFramesKeepTheirMapping(t *testing.T) {
	p := readText(t, "a_[j];read_[k] 1\n")
	if l := p.Sample[0].Location; l[0].Mapping == nil || l[0].Mapping.File != kernelFile || l[1].Mapping != nil {
		t.Errorf("mappings %v, %v", l[0].Mapping, l[1].Mapping)
	}
}

// Fractions are kept by multiplying them, unless rounding changes next to nothing.
func TestFoldedFractions(t *testing.T) {
	for name, c := range map[string]struct{ data, unit, want string }{
		"quarters":            {"a 1.5\na;b 0.25\nc 2\n", "thousandths", "a [1500]\na;b [250]\nc [2000]"},
		"powers of ten":       {"a 1e-10\nb 2.5E-10\n", "trillionths", "a [100]\nb [250]"},
		"tiny beside large":   {"a 1e-10\nb 3\n", "count", "a [0]\nb [3]"},
		"whole with a point":  {"a 3.0\nb 2.\nc 1e3\n", "count", "a [3]\nb [2]\nc [1000]"},
		"large":               {"a 1234567.25\nb 7654321.5\n", "count", "a [1234567]\nb [7654322]"},
		"exact beside others": {"a 9007199254740993\nb 0.5\n", "count", "a [9007199254740993]\nb [1]"},
		"a difference":        {"a;b 0.5 1\na;c 2 .25\n", "thousandths", "a;b [500 1000]\na;c [2000 250]"},
	} {
		t.Run(name, func(t *testing.T) {
			p := readText(t, c.data)
			if got := stacks(p); got != c.want || p.SampleType[0].Unit != c.unit {
				t.Errorf("got %s\n%s\nwant %s\n%s", p.SampleType[0].Unit, got, c.unit, c.want)
			}
			if noted := meta.FileNote.Has(p); noted != (name != "whole with a point") {
				t.Errorf("comments %q", p.Comments)
			}
		})
	}
}

// The files of difffolded.pl have two numbers in each line.
func TestFoldedDifferences(t *testing.T) {
	for name, c := range map[string]struct{ data, want string }{
		"two columns":       {"main;parse 10 30\nmain;scan 25 5\nmain;new 0 4\n", "main;new [0 4]\nmain;parse [10 30]\nmain;scan [25 5]"},
		"single frames":     {"a 1 2\nb 3 4\n", "a [1 2]\nb [3 4]"},
		"without frames":    {"a;b 1 2\n 3 4\n", " [3 4]\na;b [1 2]"},
		"tabs":              {"a;b\t1\t2\n", "a;b [1 2]"},
		"aligned":           {"main;a               10 30\nmain;b         10000000 4\n", "main;a [10 30]\nmain;b [10000000 4]"},
		"one line with one": {"a;b 1 2\na;c 3\na;d 5 6\n", "a;b [1 2]\na;d [5 6]"},
	} {
		t.Run(name, func(t *testing.T) {
			p := readText(t, c.data)
			if got := stacks(p); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if p.SampleType[0].Type != "before" || p.DefaultSampleType != "after" || !strings.Contains(meta.FileNote.Get(p), "two numbers") {
				t.Errorf("types %v, comments %q", p.SampleType, p.Comments)
			}
		})
	}
	p := readText(t, "worker 1;main 5\nworker 2;main 7\nworker 3 1\n")
	if got := stacks(p); got != "worker 1;main [5]\nworker 2;main [7]\nworker 3 [1]" || !meta.FileNote.Has(p) {
		t.Errorf("got\n%s, comments %q", got, p.Comments)
	}
}

func TestEncodings(t *testing.T) {
	const text = "# ☕ 𝄞\r\nmain;pärse 𝄞 3\r\nmain;scan 2\r\n"
	inUTF16 := func(order binary.AppendByteOrder, mark string) []byte {
		var data []byte
		for _, u := range utf16.Encode([]rune(mark + text)) {
			data = order.AppendUint16(data, u)
		}
		return data
	}
	for name, data := range map[string][]byte{
		"UTF-8":                   []byte(text),
		"UTF-8 with a mark":       []byte("\uFEFF" + text),
		"UTF-16 little endian":    inUTF16(binary.LittleEndian, "\uFEFF"),
		"UTF-16 big endian":       inUTF16(binary.BigEndian, "\uFEFF"),
		"UTF-16 gzipped":          gzipped(inUTF16(binary.LittleEndian, "\uFEFF")),
		"UTF-16 with an odd byte": append(inUTF16(binary.LittleEndian, "\uFEFF"), '\n'),
	} {
		p, err := Data(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := stacks(p); got != "main;pärse 𝄞 [3]\nmain;scan [2]" || len(p.Comments) > 0 {
			t.Errorf("%s: %q, comments %q", name, got, p.Comments)
		}
	}
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		var data []byte
		for _, u := range utf16.Encode([]rune("main;parse;scan;read 3\n")) {
			data = order.AppendUint16(data, u)
		}
		if p, err := Data(data); err != nil || stacks(p) != "main;parse;scan;read [3]" {
			t.Errorf("UTF-16 without a mark, %v: %v, %v", order, p, err)
		}
	}
}
