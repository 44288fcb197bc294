package browser

import (
	"bytes"
	"errors"
	"image/color"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/diff"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

// release is a profile before and after a release: one function grew, one is new, one is gone, one
// did not change.
var before, after = []stack{
	{300, 1, 100, "main.main;main.serve;main.price"}, {200, 1, 100, "main.main;main.serve;main.oldCache"}, {500, 1, 100, "main.main;main.gc"},
}, []stack{
	{600, 1, 100, "main.main;main.serve;main.price"}, {150, 1, 100, "main.main;main.serve;main.newCache"}, {505, 1, 100, "main.main;main.gc"},
}

func differences(t *testing.T) map[render.Format][]byte {
	t.Helper()
	d, err := diff.Compare(build(before), build(after), false)
	if err != nil {
		t.Fatal(err)
	}
	var svg, html bytes.Buffer
	if err := errors.Join(d.WriteSVG(&svg), d.WriteHTML(&html)); err != nil {
		t.Fatal(err)
	}
	return map[render.Format][]byte{render.SVG: svg.Bytes(), render.HTML: html.Bytes()}
}

// A picture of a difference can be searched, zoomed and inverted like any other, and shows before
// and after for each frame.
func TestDifference(t *testing.T) {
	for f, file := range differences(t) {
		t.Run(string(f), func(t *testing.T) {
			p := Open(t, chromium, Serve(t, contentTypes[f], "", file))
			p.ready()
			p.selected("price")
			p.wants("what grew", p.text("detail"), "main.price", "before 3.00s (30.00%), after 6.00s (47.81%): +3.00s", "/src/shop.go")
			p.selected("newCache")
			p.wants("a new function", p.text("detail"), "before 0 (0.00%), after 1.50s (11.95%): new")
			p.selected("gc")
			p.wants("an unchanged function", p.text("detail"), "within the noise of sampling")
			p.selected("oldCache")
			p.wants("a search for a removed function", p.text("detail"), "before 2.00s (20.00%), after 0 (0.00%): removed")
			p.Press("\x1b")
			for what, fill := range map[string]color.RGBA{"more": {0xef, 0x8a, 0x62, 255}, "removed": {0x67, 0xa9, 0xcf, 255}, "new": {0xf6, 0xd7, 0x46, 255}, "the same": {0xe4, 0xe4, 0xe4, 255}} {
				if n := pixels(p.screenshot())[fill]; n < 500 {
					t.Errorf("frames of kind %q have %d pixels, want at least 500", what, n)
				}
			}
			p.Press("t")
			p.wants("the other side", p.text("detail"), "values of before: 10.00s")
			p.selected("oldCache")
			p.wants("a removed function", p.text("detail"), "removed")
			p.Press("s")
			for range 3 { // to the function, to its callers, to the first caller
				p.Press(kb.ArrowUp)
			}
			p.wants("its callers", p.text("detail"), "main.serve", "removed")
			p.Press("\x1b")
			p.Press("i")
			p.wants("inverted", p.find("main.main"), "places")
			if f == render.HTML {
				p.Press("\x1b")
				Eval[bool](p, "(document.querySelector('[data-role=table]').open = true)")
				p.Await("document.querySelectorAll('tbody tr').length >= 3")
				p.wants("the largest change", Eval[string](p, "document.querySelector('tbody tr').textContent"), "main.price", "+3.00s")
				p.wants("the table lists a removed function", Eval[string](p, "document.querySelector('tbody').textContent"), "main.oldCache")
			}
			p.expectQuietConsole()
		})
	}
}

// Without scripts and styles it is still a picture, with the removed functions in a section of their own.
func TestDifferenceWithoutScripts(t *testing.T) {
	for f, file := range differences(t) {
		t.Run(string(f), func(t *testing.T) {
			p := Open(t, chromium, Serve(t, contentTypes[f], "default-src 'none'", file))
			counts := pixels(p.screenshot())
			for what, fill := range map[string]color.RGBA{"more": {0xef, 0x8a, 0x62, 255}, "removed": {0x67, 0xa9, 0xcf, 255}, "new": {0xf6, 0xd7, 0x46, 255}} {
				if counts[fill] < 500 {
					t.Errorf("frames of kind %q have %d pixels, want at least 500", what, counts[fill])
				}
			}
			if !strings.Contains(string(file), "Removed: only before, 2.00s") {
				t.Error("removed functions have no heading")
			}
		})
	}
}
