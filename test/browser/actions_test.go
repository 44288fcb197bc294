package browser

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

func TestSearch(t *testing.T) {
	forms(t, func(t *testing.T, p *Page) {
		p.wants("a plain search", p.find("checkout"), "1 place", "70.00% with what they call", "0.00% of their own")
		p.wants("recursion counts once", p.find("main.fib$"), "1 place", "10.00% with what they call", "10.00% of their own")
		p.wants("an expression", p.find("price|Rate$"), "2 places", "70.00% with what they call", "70.00% of their own")
		p.wants("too narrow to see", p.find("needle"), "1 place", "0.10% with")
		p.Press("n")
		p.wants("the next match", p.text("detail"), "1 of 1", "main.needle")
		p.wants("it was zoomed to", p.text("note"), "zoomed to main.needle")
		p.find("price|Rate$")
		p.Press("n")
		first := p.text("detail")
		p.Press("n")
		p.wants("next again", p.text("detail"), "2 of 2")
		p.Press("N")
		if got := p.text("detail"); got != first {
			t.Errorf("previous: %q, want %q", got, first)
		}
		p.wants("no expression", p.find("("), "not a regular expression")
	})
}

func TestZoomAndKeys(t *testing.T) {
	forms(t, func(t *testing.T, p *Page) {
		p.find("checkout")
		p.Press("n")
		p.Press(kb.Enter)
		p.wants("zoomed", p.text("note"), "zoomed to main.checkout, 70.00% of all")
		p.wants("detail", p.text("detail"), "main.checkout", "own code", "7.00s", "100.00% of the zoomed", "/src/shop.go:2")
		outward, inward := kb.ArrowUp, kb.ArrowDown
		if Eval[string](p, "document.documentElement.localName") == "html" {
			outward, inward = inward, outward
		}
		p.Press(outward)
		p.wants("the hottest callee", p.text("detail"), "main.price", "71.43% of the zoomed")
		p.Press(kb.ArrowLeft)
		p.wants("its sibling", p.text("detail"), "github.com/acme/tax.Rate", "dependencies")
		p.Press(kb.ArrowRight)
		p.wants("and back", p.text("detail"), "main.price")
		p.Press(inward)
		p.wants("its caller", p.text("detail"), "main.checkout")
		p.Press("0")
		if note := p.text("note"); strings.Contains(note, "zoomed") {
			t.Errorf("the picture is still zoomed: %q", note)
		}
		p.Press("?")
		p.wants("help", p.text("help"), "callers and callees", "arrows")
	})
}

// selected searches for a function and selects its first occurrence.
func (p *Page) selected(expression string) {
	p.t.Helper()
	p.find(expression)
	p.Press("n")
}

func TestFilters(t *testing.T) {
	forms(t, func(t *testing.T, p *Page) {
		for _, c := range []struct{ name, selected, keys, find, want string }{
			{"focus", "checkout", "f", "price", "71.43% with what they call"},
			{"hide", "checkout", "h", "checkout", "0 places"},
			{"hidden functions' callees stay", "checkout", "h", "price", "50.00% with what they call"},
			{"module", "tax.Rate", "m", "tax", "0 places"},
			{"wrappers", "", "w", "main.wrap", "0 places"},
			{"recursion", "", "r", "fib", "1 place, 10.00% with what they call, 10.00% of their own"},
			{"inverted", "", "i", "checkout", "2 places, 70.00% with what they call"},
			{"sandwich", "checkout", "s", "price", "71.43% with what they call"},
		} {
			p.Press(kb.Escape)
			if c.selected != "" {
				p.selected(c.selected)
			}
			p.Press(c.keys)
			p.wants(c.name, p.find(c.find), c.want)
		}
		p.Press(kb.Escape)
		p.wants("reset", p.find("checkout"), "70.00% with what they call")
	})
}

func TestOrder(t *testing.T) {
	forms(t, func(t *testing.T, p *Page) {
		// Of the two occurrences, the first in drawing order is the first by name, or the
		// heaviest.
		p.selected("price|Rate$")
		p.wants("by name", p.text("detail"), "acme/tax.Rate")
		p.find("")
		p.Press("o")
		p.selected("price|Rate$")
		p.wants("by weight", p.text("detail"), "main.price")
	})
}

func TestLinkNamesTheState(t *testing.T) {
	forms(t, func(t *testing.T, p *Page) {
		p.selected("checkout")
		p.Press("f")
		p.selected("price")
		p.Press(kb.Enter)
		p.Await("location.hash.includes('zoom')")
		link := Eval[string](p, "location.href")
		if !strings.Contains(link, "main.price") || !strings.Contains(link, "focus") {
			t.Fatalf("the link has no state: %s", link)
		}
		other := Open(t, chromium, link)
		other.ready()
		for _, role := range []string{"note", "detail"} {
			if a, b := p.text(role), other.text(role); role == "note" && a != b {
				t.Errorf("%s after opening the link: %q, want %q", role, b, a)
			}
		}
		nonsense := Open(t, chromium, strings.Split(link, "#")[0]+"#sandwich=no.such&find=%28&zoom="+strings.Repeat("x", 9000))
		nonsense.ready()
		nonsense.wants("after a link of nonsense", nonsense.find("checkout"), "70.00%")
	})
}

func TestCopy(t *testing.T) {
	forms(t, func(t *testing.T, p *Page) {
		for _, name := range []string{"clipboard-read", "clipboard-write"} {
			p.Do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
				_, err := chromedp.CallBrowser(ctx, browser.SetPermission, browser.SetPermissionParams{Permission: &browser.PermissionDescriptor{Name: name}, Setting: browser.PermissionSettingGranted})
				return err
			}))
		}
		p.selected("main.price")
		p.Press("c")
		p.Await("document.querySelector('[data-role=detail]').textContent.startsWith('copied')")
		if got := Eval[string](p, "navigator.clipboard.readText()"); got != "main.price" {
			t.Errorf("copied %q", got)
		}
		p.Press("C")
		p.Await("navigator.clipboard.readText().then((s) => s.includes('main.checkout'))")
	})
}

func TestClickZooms(t *testing.T) {
	forms(t, func(t *testing.T, p *Page) {
		// The root is at a known end and as wide as the picture, so the second row is
		// clicked where the larger process is.
		at := Eval[[]float64](p, `(() => {
			const svg = document.documentElement.localName === 'svg', box = document.querySelector('[data-role=frames]').getBoundingClientRect();
			return [box.left + box.width / 4, svg ? box.bottom - 17 * 1.5 : box.top + 17 * 1.5];
		})()`)
		p.Do(chromedp.MouseEvent(chromedp.MouseMoved, at[0], at[1]))
		p.wants("detail under the pointer", p.text("detail"), "shop (1)", "90.00% of all")
		p.Do(chromedp.MouseClickXY(at[0], at[1]))
		p.wants("zoomed by a click", p.text("note"), "zoomed to shop (1), 90.00% of all")
	})
}
