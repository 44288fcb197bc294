package diff

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
	"github.com/kubectl-pprof/kubectl-pprof/test/colors"
)

var update = flag.Bool("update", false, "write the golden files anew")

// folded returns a profile made from lines "root;…;leaf count" with 10 ms per sample.
func folded(lines ...string) *profile.Profile {
	p := &profile.Profile{
		SampleType:        []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		DefaultSampleType: "cpu",
	}
	locations := map[string]*profile.Location{}
	for _, line := range lines {
		space := strings.LastIndexByte(line, ' ')
		n, err := strconv.ParseInt(line[space+1:], 10, 64)
		if err != nil {
			panic(err)
		}
		s := &profile.Sample{Value: []int64{n, n * 10_000_000}}
		for name := range strings.SplitSeq(line[:space], ";") {
			l := locations[name]
			if l == nil {
				f := &profile.Function{ID: uint64(len(locations) + 1), Name: name}
				l = &profile.Location{ID: f.ID, Line: []profile.Line{{Function: f}}}
				locations[name] = l
				p.Function, p.Location = append(p.Function, f), append(p.Location, l)
			}
			s.Location = append([]*profile.Location{l}, s.Location...)
		}
		p.Sample = append(p.Sample, s)
	}
	return p
}

var cases = map[string]struct {
	before, after []string
	normalize     bool
}{
	"release": {
		before: []string{"main;serve;parse 1000", "main;serve;oldCache;get 300", "main;gc 500", "main;serve;rare 2", "main;log 100"},
		after:  []string{"main;serve;parse 1900", "main;serve;newCache;get 250", "main;gc 510", "main;log 20", "main;fib;fib;fib 7"},
	},
	"shares": {
		before:    []string{"main;a 1000", "main;b 1000"},
		after:     []string{"main;a 300", "main;b 100", "main;c 60"},
		normalize: true,
	},
	"nothing-before": {after: []string{"main;a 100"}},
	"nothing-after":  {before: []string{"main;a 100", "main;b 50"}, normalize: true},
	"nothing":        {},
	"noise":          {before: []string{"main;a 100", "main;b 1"}, after: []string{"main;a 104", "main;c 1"}},
	"hostile": {
		before: []string{"<script>alert(1)</script>;]]>;a\x1b[31mred\x00 100"},
		after:  []string{"<script>alert(1)</script>;\xff\xfe 200", "<script>alert(1)</script>;" + strings.Repeat("é", 10_000) + " 300"},
	},
}

func TestGoldenFiles(t *testing.T) {
	for name, c := range cases {
		for ending, write := range map[string]func(*Diff, io.Writer) error{".txt": (*Diff).WriteTable, ".svg": (*Diff).WriteSVG, ".html": (*Diff).WriteHTML} {
			t.Run(name+ending, func(t *testing.T) {
				d, err := Compare(folded(c.before...), folded(c.after...), c.normalize)
				if err != nil {
					t.Fatal(err)
				}
				var got bytes.Buffer
				if err := write(d, &got); err != nil {
					t.Fatal(err)
				}
				whole := bytes.NewBuffer(bytes.Clone(got.Bytes()))
				if at := bytes.LastIndex(got.Bytes(), []byte("\n<script>")); at >= 0 { // other tests check the script and the payload
					got = *bytes.NewBuffer(append(got.Bytes()[:at:at], "\n…\n"...))
				}
				if bytes.ContainsAny(got.Bytes(), "\x1b\x00") || bytes.Contains(got.Bytes(), []byte("NaN")) || bytes.Contains(got.Bytes(), []byte("Inf")) {
					t.Error("a control character, or no number")
				}
				golden := filepath.Join("testdata", name+ending)
				if *update {
					if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				if want, err := os.ReadFile(golden); err != nil || !bytes.Equal(got.Bytes(), want) {
					t.Errorf("%v; differs from %s (run with -update if this is intended):\n%.3000s", err, golden, &got)
				}
				if ending == ".svg" {
					for decoder := xml.NewDecoder(whole); ; {
						if _, err := decoder.Token(); errors.Is(err, io.EOF) {
							break
						} else if err != nil {
							t.Fatal(err)
						}
					}
				}
			})
		}
	}
}

// The nodes of the tree and the functions add up to the profiles, the profile of differences to their difference.
func TestSumsAreExact(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	some := func() *profile.Profile {
		var lines []string
		for range random.IntN(40) {
			var stack []string
			for range 1 + random.IntN(8) {
				stack = append(stack, fmt.Sprint("f", random.IntN(6)))
			}
			lines = append(lines, fmt.Sprint(strings.Join(stack, ";"), " ", 1+random.IntN(1000)))
		}
		return folded(lines...)
	}
	for range 100 {
		before, after := some(), some()
		d, err := Compare(before, after, false)
		if err != nil {
			t.Fatal(err)
		}
		var self Change
		for _, f := range d.Functions {
			self.Before += f.Self.Before
			self.After += f.Self.After
		}
		if self != d.Total() || d.Root.Change != d.Total() {
			t.Fatalf("functions have %v, the root has %v, want %v", self, d.Root.Change, d.Total())
		}
		checkChildren(t, d.Root)
		var encoded bytes.Buffer
		if err := d.WritePprof(&encoded); err != nil {
			t.Fatal(err)
		}
		p, err := profile.Parse(&encoded)
		if err != nil {
			t.Fatal(err)
		}
		var sum int64
		for _, s := range p.Sample {
			sum += s.Value[1]
		}
		if want := d.Total().After - d.Total().Before; sum != want {
			t.Fatalf("the profile of differences has %d, want %d", sum, want)
		}
	}
}

func checkChildren(t *testing.T, n *Node) {
	var sum Change
	for _, c := range n.Children {
		sum.Before += c.Before
		sum.After += c.After
		checkChildren(t, c)
	}
	if sum.Before > n.Before || sum.After > n.After {
		t.Fatalf("%s: children have %v, it has %v", n.Name, sum, n.Change)
	}
}

// Two profiles of the same program have almost no significant changes.
func TestNoiseIsNotSignificant(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	sampled := func() *profile.Profile {
		counts := make([]int, 200)
		for range 20_000 {
			counts[int(200*random.Float64()*random.Float64())]++
		}
		var lines []string
		for i, n := range counts {
			if n > 0 {
				lines = append(lines, fmt.Sprintf("main;f%d %d", i, n))
			}
		}
		return folded(lines...)
	}
	certain := 0
	for range 20 {
		d, err := Compare(sampled(), sampled(), false)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range d.Functions {
			if d.significant(f.Self) {
				certain++
			}
		}
	}
	if certain > 40 { // of 4,000 comparisons; about 11 are expected
		t.Errorf("%d of 4000 changes by chance are called certain", certain)
	}
}

func TestDifferentTypes(t *testing.T) {
	other := folded("main 1")
	other.SampleType = []*profile.ValueType{{Type: "alloc_space", Unit: "bytes"}, {Type: "inuse_space", Unit: "bytes"}}
	other.DefaultSampleType = ""
	if _, err := Compare(other, folded("main 1"), false); err == nil ||
		!strings.Contains(err.Error(), `one has values of "inuse_space" in "bytes", the other of "cpu" in "nanoseconds"`) {
		t.Error(err)
	}
	// Values that do not count samples have no noise.
	more := other.Copy()
	more.Sample[0].Value[1]++
	d, err := Compare(other, more, false)
	if err != nil || !d.significant(d.Root.Change) {
		t.Errorf("%v: a byte more is a byte more", err)
	}
}

func TestDeepStack(t *testing.T) {
	deep := folded(strings.Repeat("down;", 5000)+"end 1000", "other 1")
	d, err := Compare(folded("other 1"), deep, false)
	if err != nil {
		t.Fatal(err)
	}
	var svg bytes.Buffer
	if err := errors.Join(d.WriteSVG(&svg), d.WriteTable(io.Discard)); err != nil || !strings.Contains(svg.String(), "Frames deeper than 300") {
		t.Errorf("%v: %.300s", err, &svg)
	}
}

// A picture holds both profiles: their totals and the difference can be read back.
func TestPicturesHoldBothProfiles(t *testing.T) {
	for name, c := range cases {
		d, err := Compare(folded(c.before...), folded(c.after...), c.normalize)
		if err != nil {
			t.Fatal(err)
		}
		for _, write := range []func(io.Writer) error{d.WriteSVG, d.WriteHTML} {
			var file bytes.Buffer
			if err := write(&file); err != nil {
				t.Fatal(name, err)
			}
			p, err := render.Read(&file)
			if err != nil {
				t.Fatal(name, err)
			}
			var sum Change
			for _, s := range p.Sample {
				sum.Before += s.Value[0]
				sum.After += s.Value[1]
			}
			if sum != d.Total() {
				t.Errorf("%s: %v came back, want %v", name, sum, d.Total())
			}
		}
	}
}

// The colours of more, less, new and same can be distinguished with colour blindness, and black text is readable on all.
func TestColors(t *testing.T) {
	looks := map[string]string{"more": mix(render.MoreColor, 1), "less": mix(render.LessColor, 1), "new": render.NewColor, "the same": render.SameColor}
	for name, vision := range colors.Visions {
		for a, one := range looks {
			if c := colors.Contrast(one, "#000000"); c < 4.5 {
				t.Errorf("%s: contrast %.1f", a, c)
			}
			for b, other := range looks {
				if d := colors.Distance(one, other, vision); a != b && d < 10 {
					t.Errorf("%s: %s and %s differ by %.1f", name, a, b, d)
				}
			}
		}
	}
}

// Names may be so long that not all frames are drawn. The picture says so.
func TestLongNamesEndThePicture(t *testing.T) {
	var names []string
	for i := range 200 {
		names = append(names, fmt.Sprint(strings.Repeat("n", 60_000), i))
	}
	d, err := Compare(folded("main 1"), folded(strings.Join(names, ";")+" 1"), false)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := d.WriteSVG(&out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "Not all frames are drawn, because their names are long (8 MiB)") {
		t.Errorf("nothing says that frames are missing from %d bytes", out.Len())
	}
}
