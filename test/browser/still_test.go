package browser

import (
	"image/color"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

// drawn checks pixels: the background is white, frames of five kinds have their colours, and there
// is text.
func drawn(t *testing.T, p *Page, paper color.RGBA) {
	t.Helper()
	counts := pixels(p.screenshot())
	if counts[paper] < 200_000 {
		t.Errorf("%d pixels of the background colour, want at least 200,000", counts[paper])
	}
	colored, text := 0, 0
	for c, n := range counts {
		lo, hi := min(c.R, c.G, c.B), max(c.R, c.G, c.B)
		if n > 1000 && hi-lo > 20 {
			colored++
		}
		if hi < 60 {
			text += n
		}
	}
	if colored < 5 || text < 1500 {
		t.Errorf("%d colours of frames, %d pixels of text", colored, text)
	}
}

var white = color.RGBA{255, 255, 255, 255}

// The file is a picture where scripts are blocked, and where styles are blocked too.
func TestPolicies(t *testing.T) {
	for name, policy := range map[string]string{"no-scripts": "script-src 'none'", "nothing": "default-src 'none'", "sandbox": "default-src 'none'; style-src 'unsafe-inline'; sandbox"} {
		for _, f := range []render.Format{render.SVG, render.HTML} {
			t.Run(name+"/"+string(f), func(t *testing.T) {
				p := Open(t, chromium, Serve(t, contentTypes[f], policy, write(t, build(shop), f)))
				drawn(t, p, white)
				for _, said := range p.Console() {
					if !strings.Contains(said, "Content Security Policy") && !strings.Contains(said, "sandboxed") {
						t.Errorf("on the console: %s", said)
					}
				}
				if f == render.SVG && name == "no-scripts" {
					if title := Eval[string](p, "document.querySelector('g[data-role=frames] title').textContent"); !strings.Contains(title, "100.00%") {
						t.Errorf("tooltip %q", title)
					}
				}
			})
		}
	}
}

// An <img> runs no script: the hottest functions and the legend must be visible without one.
func TestImage(t *testing.T) {
	svg := write(t, build(shop), render.SVG)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/a.svg" {
			w.Header().Set("Content-Type", "image/svg+xml")
			w.Write(svg)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		w.Write([]byte(`<body style="background:#123456"><img src="/a.svg">`))
	}))
	t.Cleanup(s.Close)
	p := Open(t, chromium, s.URL)
	p.Await("document.images[0].complete && document.images[0].naturalWidth === 1200")
	drawn(t, p, white)
	if text := string(svg); !strings.Contains(text, "50.0%  50.0%  main.price") {
		t.Error("the hottest function is not listed")
	}
}

// The script runs under the Content-Security-Policy of `kubectl pprof view`.
func TestViewsPolicy(t *testing.T) {
	p := Open(t, chromium, Serve(t, contentTypes[render.HTML], "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:", write(t, build(shop), render.HTML)))
	p.ready()
	p.wants("search", p.find("checkout"), "70.00%")
	p.expectQuietConsole()
}

func TestFromDisk(t *testing.T) {
	for _, f := range []render.Format{render.SVG, render.HTML} {
		t.Run(string(f), func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "a"+f.Ending())
			if err := os.WriteFile(file, write(t, build(shop), f), 0o644); err != nil {
				t.Fatal(err)
			}
			p := Open(t, chromium, "file://"+file)
			p.ready()
			p.wants("search", p.find("checkout"), "70.00%")
			drawn(t, p, white)
			p.expectQuietConsole()
		})
	}
}

// Several pictures in one page do not interfere with each other.
func TestSeveralInOnePage(t *testing.T) {
	one, other := write(t, build(shop), render.SVG), write(t, build(shop[:2]), render.SVG)
	page := "<!DOCTYPE html><meta charset=utf-8><body>" + string(one) + string(other)
	p := Open(t, chromium, Serve(t, contentTypes[render.HTML], "", []byte(page)))
	p.Await("document.querySelectorAll('svg[data-ready]').length === 2")
	if ids := Eval[int](p, "document.querySelectorAll('[id]').length"); ids != 0 {
		t.Errorf("%d elements with an id", ids)
	}
	notes := Eval[[]string](p, `(() => {
		document.querySelectorAll('svg')[1].querySelector('[data-role=frames]').focus();
		return [...document.querySelectorAll('svg')].map((s) => s.querySelector('[data-role=frames]').textContent);
	})()`)
	if strings.Contains(notes[1], "futex") || !strings.Contains(notes[0], "futex") {
		t.Errorf("a picture drew the profile of the other: %q", notes)
	}
	p.Press("i")
	if link := Eval[string](p, "location.hash"); link != "" {
		t.Errorf("a picture on a page with several changed the page's link: %s", link)
	}
	p.expectQuietConsole()
}

// A file that the script cannot decode is still a picture, with an error message.
func TestDamagedInTheBrowser(t *testing.T) {
	for _, f := range []render.Format{render.SVG, render.HTML} {
		t.Run(string(f), func(t *testing.T) {
			file := string(write(t, build(shop), f))
			at := strings.LastIndex(file, `data-role="profile">`) + 150
			p := Open(t, chromium, Serve(t, contentTypes[f], "", []byte(file[:at]+"AAAAAAAA"+file[at+8:])))
			p.Await("document.documentElement.textContent.includes('cannot be read: it was changed')")
			drawn(t, p, white)
		})
	}
}
