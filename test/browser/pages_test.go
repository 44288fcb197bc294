package browser

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

var chromium context.Context

func TestMain(m *testing.M) {
	browser, stop, err := Start(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	chromium = browser
	code := m.Run()
	stop()
	os.Exit(code)
}

// stack returns a sample with the value n. Frames are listed root first; the kernel's begin with "k:".
type stack struct {
	n      int64
	pid    int64
	millis int64
	frames string
}

// shop returns a profile with a function that has two callees, recursion, a chain of wrappers, a
// C++ template, kernel frames, a function that is too narrow to see, and two processes that were
// sampled at different times.
var shop = []stack{
	{500, 1, 100, "runtime.main;main.main;main.serve;main.checkout;main.price"},
	{200, 1, 200, "runtime.main;main.main;main.serve;main.checkout;github.com/acme/tax.Rate"},
	{100, 1, 300, "runtime.main;main.main;main.serve;main.fib;main.fib;main.fib"},
	{100, 1, 900, "runtime.main;main.main;main.wrap;main.wrapped;std::vector<int, std::allocator<int>>::push_back(int const&)"},
	{99, 7, 1900, "runtime.mcall;runtime.findRunnable;k:do_futex"},
	{1, 7, 1900, "runtime.mcall;main.needle"},
}

func build(stacks []stack) *profile.Profile {
	p := &profile.Profile{
		SampleType:        []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		DefaultSampleType: "cpu", DurationNanos: 2e9,
		Mapping:  []*profile.Mapping{{ID: 1, File: "/shop"}, {ID: 2, File: "[kernel.kallsyms]"}},
		Comments: []string{"pod: prod/shop-7d9f", "container: shop", "node: node-1", "image: shop:1.2"},
	}
	known := map[string]*profile.Location{}
	for _, s := range stacks {
		sample := &profile.Sample{Value: []int64{s.n, s.n * 1e7}, Label: map[string][]string{"process": {"shop"}},
			NumLabel: map[string][]int64{"pid": {s.pid}, "time": {s.millis}}, NumUnit: map[string][]string{"time": {"milliseconds"}}}
		names := strings.Split(s.frames, ";")
		for i := len(names) - 1; i >= 0; i-- {
			name := names[i]
			if known[name] == nil {
				plain, kernel := strings.CutPrefix(name, "k:")
				fn := &profile.Function{ID: uint64(len(known) + 1), Name: plain, SystemName: plain}
				l := &profile.Location{ID: fn.ID, Mapping: p.Mapping[0], Address: fn.ID * 16, Line: []profile.Line{{Function: fn, Line: int64(fn.ID)}}}
				if kernel {
					l.Mapping = p.Mapping[1]
				} else if strings.HasPrefix(name, "github.com/") {
					fn.Filename = "/root/go/pkg/mod/github.com/acme/tax@v1.2.0/rate.go"
				} else if !strings.Contains(name, "::") {
					fn.Filename = "/src/shop.go"
				}
				known[name] = l
				p.Function, p.Location = append(p.Function, fn), append(p.Location, l)
			}
			sample.Location = append(sample.Location, known[name])
		}
		p.Sample = append(p.Sample, sample)
	}
	return p
}

func write(t testing.TB, p *profile.Profile, f render.Format) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := render.Write(&out, p, f); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

var contentTypes = map[render.Format]string{render.SVG: "image/svg+xml", render.HTML: "text/html; charset=utf-8"}

// forms runs a test on the shop's picture as SVG and as HTML, with the script running.
func forms(t *testing.T, test func(*testing.T, *Page)) {
	for _, f := range []render.Format{render.SVG, render.HTML} {
		t.Run(string(f), func(t *testing.T) {
			p := Open(t, chromium, Serve(t, contentTypes[f], "", write(t, build(shop), f)))
			p.ready()
			test(t, p)
			p.expectQuietConsole()
		})
	}
}

func (p *Page) ready() { p.t.Helper(); p.Await("document.documentElement.getAttribute('data-ready')") }

func (p *Page) text(role string) string {
	p.t.Helper()
	return Eval[string](p, fmt.Sprintf("(document.querySelector('[data-role=%s]') || {textContent: ''}).textContent", role))
}

// find searches and returns the page's summary of what it found.
func (p *Page) find(expression string) string {
	p.t.Helper()
	p.Press("/")
	p.Await("(document.activeElement || {}).localName === 'input'")
	p.Type(expression)
	p.Await("(document.activeElement || {}).localName !== 'input'")
	said := fmt.Sprintf("“%s”", expression)
	if expression == "" {
		said = " "
	}
	p.Await(fmt.Sprintf("((s) => s.includes(%q) || s.startsWith('not a'))(document.querySelector('[data-role=detail]').textContent)", said))
	return p.text("detail")
}

// expectQuietConsole checks that the page has written nothing to the console.
func (p *Page) expectQuietConsole() {
	p.t.Helper()
	if lines := p.Console(); len(lines) > 0 {
		p.t.Errorf("the page wrote to the console: %q", lines)
	}
}

// wants checks that a text contains each of the parts.
func (p *Page) wants(what, got string, parts ...string) {
	p.t.Helper()
	for _, part := range parts {
		if !strings.Contains(got, part) {
			p.t.Errorf("%s: %q lacks %q", what, got, part)
		}
	}
}

// screenshot returns an image of the window and saves it in out/browser.
func (p *Page) screenshot() image.Image {
	p.t.Helper()
	shot := Get(p, chromedp.CaptureScreenshot())
	dir := filepath.Join("..", "..", "out", "browser")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, strings.ReplaceAll(p.t.Name(), "/", "-")+".png"), shot, 0o644); err != nil {
		p.t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		p.t.Fatal(err)
	}
	return img
}

// pixels counts the pixels of each colour.
func pixels(img image.Image) map[color.RGBA]int {
	counts := map[color.RGBA]int{}
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y++ {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
			counts[color.RGBAModel.Convert(img.At(x, y)).(color.RGBA)]++
		}
	}
	return counts
}
