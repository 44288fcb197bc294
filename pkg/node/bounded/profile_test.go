package bounded

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

func newProfile() *Profile {
	return New(&profile.Profile{SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}}})
}

func TestCleanCutsOnWholeCharacters(t *testing.T) {
	cases := []struct{ name, text, want string }{
		{"short", "main.f", "main.f"},
		{"longest", strings.Repeat("x", maxText), strings.Repeat("x", maxText)},
		{"too long", strings.Repeat("x", maxText+1), strings.Repeat("x", maxText-3) + "…"},
		{"cut within a character", "x" + strings.Repeat("ä", maxText), "x" + strings.Repeat("ä", maxText/2-2) + "…"},
		{"control characters", "a\x1b]0;\x07", "a\uFFFD]0;\uFFFD"},
		{"not UTF-8", "a\xffb", "a\uFFFDb"},
		{"longer once it is clean", strings.Repeat("\x01", maxText), strings.Repeat("\uFFFD", maxText/3-1) + "…"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := Clean(c.text); got != c.want {
				t.Errorf("got %d bytes ending in %q, want %d bytes", len(got), got[max(0, len(got)-8):], len(c.want))
			}
		})
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\x1b\xff", 700)
	f.Fuzz(func(t *testing.T, text string, times int) {
		fuzzbudget.Enforce(t)
		text = strings.Repeat(text, max(0, times)%2000)
		if got := Clean(text); len(got) > maxText || !utf8.ValidString(got) {
			t.Errorf("%d bytes, valid: %v", len(got), utf8.ValidString(got))
		}
	})
}

// A profile with more of everything than the limits is valid. It has placeholders for the rest and
// comments with the numbers.
func TestLimits(t *testing.T) {
	p := newProfile()
	var mapping *profile.Mapping
	for i := range maxMappings + 3 {
		if m := p.AddMapping(profile.Mapping{Start: uint64(i) << 12, Limit: uint64(i+1) << 12, File: "/a"}); m != nil {
			mapping = m
		}
	}
	for i := range maxLocations + 3 {
		l, _ := p.AddLocation(mapping, uint64(i))
		if len(l.Line) > 0 { // a placeholder
			p.AddSample(&profile.Sample{Location: []*profile.Location{l}, Value: []int64{1}})
			continue
		}
		f := p.FindOrAddFunction(Function{Name: "f", System: fmt.Sprint("f", i), File: "f.c"})
		p.AddLines(l, []profile.Line{{Function: f}, {Function: f}, {Function: f}})
		p.AddSample(&profile.Sample{Location: []*profile.Location{l}, Value: []int64{1}})
	}
	p.Describe()
	if err := p.CheckValid(); err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	for _, s := range p.Sample {
		total += s.Value[0]
	}
	lines := 0
	for _, l := range p.Location {
		lines += len(l.Line)
	}
	for _, c := range []struct {
		what       string
		got, limit int
	}{
		{"mappings", len(p.Mapping), maxMappings},
		{"locations", len(p.Location), maxLocations + 2},
		{"functions", len(p.Function), maxFunctions + 3},
		{"lines", lines, maxLines + maxLocations},
		{"samples", len(p.Sample), maxSamples + 1},
	} {
		if c.got < c.limit/2 || c.got > c.limit {
			t.Errorf("%d %s, want at most %d", c.got, c.what, c.limit)
		}
	}
	if total != maxLocations+3 {
		t.Errorf("the samples add up to %d, want %d", total, maxLocations+3)
	}
	if got := strings.Join(meta.LeftOut.All(p.Profile), "\n"); strings.Count(got, "\n") != 4 || !strings.Contains(got, "3 frames' mappings") {
		t.Errorf("left out: %s", got)
	}
}

// Frames count as well as samples: a few samples may have very long stacks.
func TestFramesOfSamplesAreLimited(t *testing.T) {
	p := newProfile()
	l, _ := p.AddLocation(nil, 1)
	p.AddLines(l, []profile.Line{{Function: p.FindOrAddFunction(Function{Name: "f", System: "f"})}})
	stack := make([]*profile.Location, maxFrames/8)
	for i := range stack {
		stack[i] = l
	}
	for range 10 {
		p.AddSample(&profile.Sample{Location: stack, Value: []int64{7}})
	}
	if n := len(p.Sample); n != 9 || p.Sample[8].Value[0] != 14 {
		t.Errorf("%d samples, want 8 and one that stands for 2", n)
	}
}

// Texts count by their bytes. What does not fit is left out, what is known remains.
func TestTextIsLimited(t *testing.T) {
	p := newProfile()
	long := strings.Repeat("x", maxText-20)
	for i := range 2 * maxAllText / maxText {
		p.Text(fmt.Sprint(long, i))
	}
	if got := p.Text(long + "0"); got != long+"0" {
		t.Errorf("got %d bytes of a known text", len(got))
	}
	if got := p.Text("new"); got != "…" && p.textBytes+len("new") > maxAllText {
		t.Errorf("got %q, want an ellipsis", got)
	}
	if f := p.FindOrAddFunction(Function{Name: long + "y", System: long + "y"}); f.Name != TooManyFunctions {
		t.Errorf("got function %.20q, want the one that replaces others", f.Name)
	}
	if p.textBytes > maxAllText || p.leftOut.texts == 0 {
		t.Errorf("%d bytes of text, %d left out", p.textBytes, p.leftOut.texts)
	}
}
