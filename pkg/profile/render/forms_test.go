package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

func pixels(t *testing.T, data []byte) *image.RGBA {
	t.Helper()
	decoded, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	rgba, ok := decoded.(*image.RGBA)
	if !ok {
		t.Fatalf("%T", decoded)
	}
	return rgba
}

// Pixels are compared, not files, because compression changes with versions of Go.
func TestPNGGoldenFiles(t *testing.T) {
	for name, make := range profiles {
		var got bytes.Buffer
		if err := WritePNG(&got, make(), PNGOptions{Width: 800, Scale: 1}); err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", name+".png")
		if *update {
			if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		a, b := pixels(t, got.Bytes()), pixels(t, want)
		if a.Rect != b.Rect || !bytes.Equal(a.Pix, b.Pix) {
			t.Errorf("%s differs from its golden file (run with -update if this is intended)", name)
		}
	}
}

func TestPNGSizes(t *testing.T) {
	for _, c := range []struct {
		o      PNGOptions
		width  int
		refuse string
	}{
		{PNGOptions{}, 2400, ""}, {PNGOptions{Width: 4000}, 8000, ""}, {PNGOptions{Scale: 0.5}, 600, ""}, {PNGOptions{Width: 300, Scale: 4}, 1200, ""},
		{PNGOptions{Width: 299}, 0, "from 300 to 4000 pixels, not 299"}, {PNGOptions{Scale: 5}, 0, "from 0.5 to 4, not 5"},
		{PNGOptions{Width: 3000, Scale: 3}, 0, "would be wider than 8000"}, {PNGOptions{Width: -1}, 0, "not -1"},
	} {
		var b bytes.Buffer
		err := WritePNG(&b, shop(), c.o)
		if c.refuse != "" {
			if err == nil || !strings.Contains(err.Error(), c.refuse) {
				t.Errorf("%+v: %v, want %s", c.o, err, c.refuse)
			}
		} else if err != nil || pixels(t, b.Bytes()).Rect.Dx() != c.width {
			t.Errorf("%+v: %v, want %d pixels", c.o, err, c.width)
		}
	}
}

// The picture of a stack of thousands of frames can be opened.
func TestPNGHeightIsBounded(t *testing.T) {
	b := newBuilder()
	b.add(1, 1, strings.TrimSuffix(strings.Repeat("main.down;", 5000), ";"))
	var out bytes.Buffer
	if err := WritePNG(&out, b.Profile, PNGOptions{Scale: 4}); err != nil {
		t.Fatal(err)
	}
	if got := pixels(t, out.Bytes()).Rect.Dy(); got > 4*4000 {
		t.Errorf("%d pixels high", got)
	}
}

func TestTreeInColor(t *testing.T) {
	var plain, colored bytes.Buffer
	if err := errors.Join(WriteTree(&plain, shop(), TreeOptions{Columns: 60}), WriteTree(&colored, shop(), TreeOptions{Columns: 60, Color: true})); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(plain.String(), "\x1b") {
		t.Error("colours without having been asked for")
	}
	if !strings.Contains(colored.String(), "\x1b[30;48;5;") || strings.Count(colored.String(), "\x1b[30")*2 != strings.Count(colored.String(), "\x1b") {
		t.Error("no colours, or one that is not reset")
	}
	if strings.Count(colored.String(), ";3;48") != 1 {
		t.Error("the inlined call is not slanted")
	}
}

func TestTreeFitsTheTerminal(t *testing.T) {
	wide := newBuilder()
	wide.add(1, 1, "日本語の関数;"+strings.Repeat("長", 300)+";e\u0301e\u0301")
	wide.add(1, 1, "other")
	for _, p := range []*builder{wide, {Profile: shop()}, {Profile: hostile()}} {
		for _, columns := range []int{20, 33, 80, 200} {
			var b bytes.Buffer
			if err := WriteTree(&b, p.Profile, TreeOptions{Columns: columns}); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				if n := columnsOf(strings.TrimSuffix(line, "\n")); n > columns {
					t.Errorf("%d columns of %d: %s", n, columns, line)
				}
			}
		}
	}
}

// The blocks of a row do not overlap, and a row does not exceed its parents.
func TestBlocksAreExact(t *testing.T) {
	root := newTree(large(2000))
	rows, _ := layoutBlocks(root, 1000, 1, 1000)
	for i, row := range rows {
		end := 0.0
		for _, b := range row {
			if b.x < end-1e-6 || b.x+b.width > 1000+1e-6 {
				t.Fatalf("row %d: a block from %g to %g after one that ends at %g", i, b.x, b.x+b.width, end)
			}
			end = b.x + b.width
			if (b.node == nil) != (b.smaller > 0) || b.node != nil && b.width < 1 {
				t.Fatalf("row %d: %+v", i, b)
			}
		}
	}
	var children func(n *node) int64
	children = func(n *node) (sum int64) {
		for _, c := range n.children {
			sum += c.total
			children(c)
		}
		if sum+n.self != n.total {
			t.Fatalf("%s: %d of its own and %d of its children are not %d", n.name, n.self, sum, n.total)
		}
		return sum
	}
	children(root)
}

func TestSpeedscopeAndJSONAgreeWithTheProfile(t *testing.T) {
	p := large(500)
	var a, b bytes.Buffer
	if err := errors.Join(Write(&a, p, Speedscope), Write(&b, p, JSON)); err != nil {
		t.Fatal(err)
	}
	var scope struct {
		speedscopeFile
		Profiles []struct {
			speedscopeProfile
			Samples [][]int32
			Weights []int64
		}
	}
	var doc struct {
		jsonDocument
		Root struct{ Value int64 }
	}
	if err := errors.Join(json.Unmarshal(a.Bytes(), &scope), json.Unmarshal(b.Bytes(), &doc)); err != nil {
		t.Fatal(err)
	}
	total := Summarize(p, 0).Total
	if got := scope.Profiles[1]; got.End != total || got.Unit != "nanoseconds" || len(got.Samples) != 500 || len(got.Weights) != 500 {
		t.Errorf("speedscope: ends at %d, want %d; unit %s, %d samples", got.End, total, got.Unit, len(got.Samples))
	}
	for i, numbers := range scope.Profiles[0].Samples {
		for j, n := range numbers {
			l := p.Sample[i].Location
			if want := FrameNames(l[len(l)-1-j])[0]; scope.Shared.Frames[n].Name != want {
				t.Fatalf("stack %d, frame %d: %s, want %s", i, j, scope.Shared.Frames[n].Name, want)
			}
		}
	}
	var self int64
	for _, f := range doc.Functions {
		self += f.Self
	}
	if self != total || doc.Root.Value != total {
		t.Errorf("json: functions have %d, the tree has %d, want %d", self, doc.Root.Value, total)
	}
}

// A function with code from two files, as compilers sometimes produce, is shown with the file of the larger part, independent of
// the order in the profile.
func TestAFunctionHasOneFile(t *testing.T) {
	p := shop()
	whole := p.Sample[0].Location[0].Line[0].Function
	stray := *whole
	stray.ID, stray.Filename = uint64(len(p.Function)+1), "aaa/inlined.go"
	p.Function = append(p.Function, &stray)
	l := *p.Sample[0].Location[0]
	l.ID, l.Line = uint64(len(p.Location)+1), []profile.Line{{Function: &stray, Line: 1}}
	p.Location = append(p.Location, &l)
	s := *p.Sample[0]
	s.Value, s.Location = []int64{1, 1}, append([]*profile.Location{&l}, s.Location[1:]...)
	p.Sample = append(p.Sample, &s)
	for range 2 {
		slices.Reverse(p.Function)
		for _, f := range []Format{JSON, Speedscope} {
			var out bytes.Buffer
			if err := Write(&out, p, f); err != nil {
				t.Fatal(err)
			}
			if text := out.String(); !strings.Contains(text, whole.Filename) || strings.Contains(text, stray.Filename) {
				t.Errorf("%s has not %s alone", f, whole.Filename)
			}
		}
	}
}

func TestControlCharactersInNames(t *testing.T) {
	for _, o := range []TreeOptions{{Columns: 900}, {Columns: 900, Color: true}} {
		var b bytes.Buffer
		if err := WriteTree(&b, hostile(), o); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "\x1b[31m") || strings.ContainsAny(b.String(), "\x00\x07") {
			t.Errorf("%+v: a control character came through", o)
		}
	}
	for _, f := range []Format{PNG, Speedscope, JSON} {
		if err := Write(io.Discard, hostile(), f); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}
