package browser

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
	"github.com/kubectl-pprof/kubectl-pprof/test/colors"
)

// said returns what the browser exposes to a screen reader, as "role name", without nodes that are
// ignored.
func (p *Page) said() (all []string) {
	p.t.Helper()
	p.Do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		tree, err := chromedp.Call(ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		if err != nil {
			return err
		}
		for _, n := range tree.Nodes {
			if n.Ignored || n.Role == nil {
				continue
			}
			text := strings.Trim(string(n.Role.Value), `"`)
			if n.Name != nil {
				text += " " + strings.Trim(string(n.Name.Value), `"`)
			}
			all = append(all, strings.TrimSpace(text))
		}
		return nil
	}))
	return all
}

// A screen reader announces the controls and what is under the cursor.
func TestRolesAndLabels(t *testing.T) {
	forms(t, func(t *testing.T, p *Page) {
		said := strings.Join(p.said(), "\n") + "\n"
		for _, want := range []string{"application Flame graph; arrow keys move, Enter zooms, ? lists the keys\n", "\nstatus", "\nbutton "} {
			if !strings.Contains(said, want) {
				t.Errorf("a screen reader does not get %q:\n%s", want, said)
			}
		}
		if Eval[string](p, "document.documentElement.localName") == "html" {
			for _, want := range []string{"main", "navigation Controls", "combobox Value", "combobox Process", "spinbutton from ms", "image Samples over time", "image own code", "image kernel", "heading prod/shop-7d9f"} {
				if !strings.Contains(said, "\n"+want) {
					t.Errorf("a screen reader does not get %q:\n%s", want, said)
				}
			}
		}
		for line := range strings.Lines(said) {
			switch strings.TrimSpace(line) {
			case "button", "combobox", "textbox", "spinbutton", "image", "application", "link":
				t.Errorf("an element has no accessible name: %q", line)
			}
		}
		p.Press("/")
		p.Await("(document.activeElement || {}).localName === 'input'")
		if said := strings.Join(p.said(), "\n"); !strings.Contains(said, "textbox Search (regular expression)") {
			t.Errorf("the search field has no accessible name:\n%s", said)
		}
	})
}

// The picture can be used without a pointer: the Tab key reaches every control, and the focused one
// is outlined and works.
func TestKeyboardAlone(t *testing.T) {
	forms(t, func(t *testing.T, p *Page) {
		reached := map[string]bool{}
		for range 30 {
			p.Press(kb.Tab)
			at := Eval[[]string](p, `(() => {
				const e = document.activeElement;
				if (!e || e === document.body || e === document.documentElement) return ['', '', ''];
				const s = getComputedStyle(e);
				return [e.getAttribute('data-role') || e.textContent || e.localName, s.outlineStyle, s.outlineWidth];
			})()`)
			if at[0] == "" {
				continue // the focus is on the browser's own controls
			}
			reached[at[0]] = true
			if at[1] == "none" || at[2] == "0px" {
				t.Errorf("%q has the focus but no outline: %v", at[0], at)
			}
		}
		want := []string{"Search", "Sandwich", "Focus", "Hide", "Inverted", "Order", "Reset", "Help"}
		if Eval[string](p, "document.documentElement.localName") == "html" {
			want = append(want, "scroller", "theme", "type", "process", "from", "to", "Functions")
		} else {
			want = append(want, "frames")
		}
		for _, w := range want {
			if !reached[w] {
				t.Errorf("the Tab key does not reach %s, only %v", w, reached)
			}
		}
		Eval[bool](p, `([...document.querySelectorAll('button, [role=button]')].find((b) => b.textContent === 'Order').focus(), true)`)
		p.Press(kb.Enter)
		p.Await("document.querySelector('[data-role=note]').textContent.includes('by weight')")
	})
}

// texts returns the colours of all texts in the DOM and of their backgrounds.
const texts = `[...document.querySelectorAll('body *, svg text')].filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()) && e.getClientRects().length && !/^(SCRIPT|STYLE|TITLE|OPTION)$/i.test(e.localName) && !e.closest('[data-role=frames]')).map((e) => {
	const hex = (c) => '#' + c.match(/\d+/g).slice(0, 3).map((v) => (+v).toString(16).padStart(2, '0')).join('');
	let back = e;
	while (back && /, 0\)$|transparent/.test(getComputedStyle(back).backgroundColor)) back = back.parentElement;
	const svg = e.namespaceURI.endsWith('svg'), s = getComputedStyle(e);
	return [e.textContent.trim().slice(0, 30), hex(svg && s.fill !== 'none' ? s.fill : s.color), back ? hex(getComputedStyle(back).backgroundColor) : '#ffffff'];
})`

// Text has a contrast of at least 4.5 (WCAG 2.1, 1.4.3), in the light and in the dark theme.
func TestTextContrast(t *testing.T) {
	forms(t, func(t *testing.T, p *Page) {
		for _, scheme := range []string{"light", "dark"} {
			p.Do(call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}))
			all := Eval[[][]string](p, texts)
			if len(all) < 12 {
				t.Fatalf("found only %d texts: %q", len(all), all)
			}
			for _, text := range all {
				if c := colors.Contrast(text[1], text[2]); c < 4.5 {
					t.Errorf("%s: %q has %s on %s, a contrast of %.1f", scheme, text[0], text[1], text[2], c)
				}
			}
		}
	})
}

// At a zoom of 200 % the page has half as many CSS pixels: text is twice as large and sharp, and
// nothing is cut off.
func TestBrowserZoom(t *testing.T) {
	forms(t, func(t *testing.T, p *Page) {
		zoom := func(factor float64) {
			p.Do(call(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: int64(1280 / factor), Height: int64(900 / factor), DeviceScaleFactor: factor}))
		}
		zoom(1)
		before := p.text("detail")
		zoom(2)
		p.Await("window.devicePixelRatio === 2 && innerWidth === 640")
		p.wants("search", p.find("checkout"), "70.00%")
		p.Press(kb.Escape)
		if got := p.text("detail"); got != before {
			t.Errorf("at a zoom of 200 %% the text is %q, want %q as before", got, before)
		}
		if Eval[string](p, "document.documentElement.localName") == "html" {
			p.Await("(() => { const c = document.querySelector('canvas[data-role=frames]'); return Math.abs(c.width - 2 * c.clientWidth) <= 1 && c.clientWidth > 580; })()")
			if Eval[bool](p, "document.scrollingElement.scrollWidth > innerWidth") {
				t.Error("the page is wider than the window")
			}
		} else if got := Eval[string](p, "getComputedStyle(document.querySelector('[data-role=frames] text')).fontSize"); got != "12px" {
			t.Errorf("the font size is %s at a zoom of 200 %%, want it doubled", got)
		}
		drawn(t, p, white)
	})
}

// Names from the target's binaries are shown as text, whatever they contain, also in links and fields.
func TestHostileNames(t *testing.T) {
	names := []string{"<script>document.title='owned'</script>", "<img src=x onerror=\"document.title='owned'\">", "]]></script><b>", "a\x1b[31mred\x00\u202etxt", "\xff\xfe", `'"&lt;#zoom=x`, strings.Repeat("é", 10_000)}
	for _, f := range []render.Format{render.SVG, render.HTML} {
		t.Run(string(f), func(t *testing.T) {
			prof := build([]stack{{10, 1, 100, strings.Join(names, ";")}, {5, 1, 100, "other"}})
			for _, s := range prof.Sample {
				s.Label["process"], s.Label["state"] = []string{names[0]}, []string{names[1]}
			}
			prof.Comments = append(prof.Comments, "partial: "+names[0])
			p := Open(t, chromium, Serve(t, contentTypes[f], "", write(t, prof, f)))
			p.ready()
			for i, name := range names[:6] {
				p.find(fmt.Sprintf("^.{%d}$", len([]rune(strings.ToValidUTF8(name, "\uFFFD\uFFFD")))))
				p.Press("n")
				for _, key := range []string{kb.Enter, "s", "f", "h", "C", kb.Escape} {
					p.Press(key)
				}
				if i == 0 && Eval[string](p, "document.documentElement.localName") == "html" {
					Eval[bool](p, "(document.querySelector('details').open = true)")
				}
			}
			if n := Eval[int](p, "document.querySelectorAll('img, b').length"); n != 0 || Eval[string](p, "document.title") == "owned" {
				t.Errorf("a function name was rendered as markup: %d elements, title %q", n, Eval[string](p, "document.title"))
			}
			p.find("é")
			p.Press("n")
			p.Press(kb.Enter)
			if n := Eval[int](p, "location.hash.length"); n > 8*1024 {
				t.Errorf("the link has %d bytes", n)
			}
			p.screenshot()
			p.expectQuietConsole()
		})
	}
}
