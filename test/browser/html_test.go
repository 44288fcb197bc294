package browser

import (
	"fmt"
	"image/color"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

func openPage(t *testing.T, stacks []stack) *Page {
	t.Helper()
	p := Open(t, chromium, Serve(t, contentTypes[render.HTML], "", write(t, build(stacks), render.HTML)))
	p.ready()
	t.Cleanup(func() {
		p.expectQuietConsole()
	})
	return p
}

func (p *Page) choose(role, value string) {
	p.t.Helper()
	Eval[bool](p, fmt.Sprintf(`(() => { const e = document.querySelector('[data-role=%s]'); e.value = %q; e.dispatchEvent(new Event('change')); return true; })()`, role, value))
}

func TestSampleTypeProcessAndTime(t *testing.T) {
	p := openPage(t, shop)
	p.choose("type", "samples")
	p.selected("price")
	p.wants("samples", p.text("detail"), "· 500, 50.00% of all")
	p.Press("\x1b")
	p.choose("process", "7")
	p.wants("one process", p.find("futex"), "99.00% with what they call")
	p.choose("process", "")
	p.choose("from", "850")
	p.choose("to", "1000")
	p.wants("a range of time", p.find("push_back"), "100.00% with what they call")
	p.wants("note", p.text("note"), "from 850 to 1000 ms")
}

func TestStripIsDragged(t *testing.T) {
	p := openPage(t, shop)
	box := Eval[[]float64](p, "(() => { const b = document.querySelector('[data-role=strip]').getBoundingClientRect(); return [b.left, b.top + b.height / 2, b.width]; })()")
	// Between 0.4 and 0.6 of 2 s there is one stack, the one at 900 ms.
	p.Do(chromedp.DragAndDropXY(box[0]+0.4*box[2], box[1], box[0]+0.6*box[2], box[1]))
	p.Await("location.hash.includes('from=')")
	p.wants("dragged", p.find("push_back"), "100.00% with what they call")
}

func TestTable(t *testing.T) {
	p := openPage(t, shop)
	Eval[bool](p, "(document.querySelector('details').open = true)")
	p.Await("document.querySelectorAll('tbody tr').length > 5")
	first := Eval[string](p, "document.querySelector('tbody tr').textContent")
	p.wants("the hottest function", first, "50.00%", "main.price")
	Eval[bool](p, "(document.querySelectorAll('th button')[1].click(), true)")
	p.wants("by cumulative value", Eval[string](p, "document.querySelector('tbody tr').textContent"), "90.00%")
	Eval[bool](p, "(document.querySelector('tbody button').click(), true)")
	p.wants("a click", p.text("note"), "sandwich")
}

// A profile that is ten thousand frames deep is drawn as quickly as any other, because only visible
// lines are drawn.
func TestDeepProfile(t *testing.T) {
	p := openPage(t, []stack{{1, 1, 0, strings.Repeat("main.down;", 9999) + "main.bottom"}})
	Eval[bool](p, "(document.querySelector('[data-role=scroller]').scrollTop = 1e9, true)")
	p.wants("the deepest", p.find("bottom"), "1 place, 100.00%")
	p.Press("n")
	p.Await("document.querySelector('[data-role=scroller]').scrollTop > 9000 * 17")
	if n := pixels(p.screenshot())[color.RGBA{255, 255, 255, 255}]; n == 1280*900 {
		t.Error("the bottom of the picture is empty")
	}
	p.Press("r")
	p.wants("recursion collapsed", p.find("down"), "1 place, 100.00% with what they call, 0.00%")
}

func TestDarkMode(t *testing.T) {
	p := openPage(t, shop)
	p.Do(call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}}))
	dark := color.RGBA{0x16, 0x18, 0x1c, 255}
	if n := pixels(p.screenshot())[dark]; n < 100_000 {
		t.Errorf("%d dark pixels, want at least 100,000", n)
	}
	Eval[bool](p, "(document.querySelector('[data-role=theme]').click(), true)")
	if n := pixels(p.screenshot())[dark]; n > 1000 {
		t.Errorf("%d dark pixels after the switch to light, want at most 1,000", n)
	}
}

// Threads, and any other label of samples, can be selected one by one.
func TestThreadsAndLabels(t *testing.T) {
	prof := build(shop)
	prof.Comments = append(prof.Comments, "by: thread")
	for i, s := range prof.Sample {
		s.Label["thread"] = []string{[]string{"worker", "acceptor"}[i%2]}
		s.Label["wait reason"] = []string{[]string{"chan receive", "select", "sleep"}[i%3]}
	}
	p := Open(t, chromium, Serve(t, contentTypes[render.HTML], "", write(t, prof, render.HTML)))
	p.ready()
	p.choose("label", "thread=worker")
	p.wants("the threads of a name", p.find("main.price"), "1 place, 71.53% with what they call")
	p.wants("the other's are not there", p.find("tax.Rate"), "0 places")
	p.wants("note", p.text("note"), "label thread=worker")
	p.choose("label", "wait reason=select")
	p.wants("any label", p.find("tax.Rate"), "66.89% with what they call")
	p.expectQuietConsole()
}

// A heap profile has four types of value, in bytes and in objects.
func TestBytesAndObjects(t *testing.T) {
	for _, f := range []render.Format{render.SVG, render.HTML} {
		t.Run(string(f), func(t *testing.T) {
			prof := build(shop[:2])
			prof.SampleType = []*profile.ValueType{{Type: "alloc_objects", Unit: "count"}, {Type: "alloc_space", Unit: "bytes"}, {Type: "inuse_objects", Unit: "count"}, {Type: "inuse_space", Unit: "bytes"}}
			prof.DefaultSampleType = "inuse_space"
			prof.Sample[0].Value, prof.Sample[1].Value = []int64{100, 100 << 20, 3, 3 << 20}, []int64{50, 50 << 10, 0, 0}
			p := Open(t, chromium, Serve(t, contentTypes[f], "", write(t, prof, f)))
			p.ready()
			p.selected("price")
			p.wants("the default", p.text("detail"), "3.00MiB, 100.00% of all")
			p.wants("nothing of it is live", p.find("Rate"), "0 places")
			p.Press("t")
			p.selected("price")
			p.wants("objects", p.text("detail"), "100, 66.67% of all")
			p.Press("t")
			p.wants("details after switching values", p.text("detail"), "values of alloc_space: 100.05MiB")
			p.selected("Rate")
			p.wants("what was allocated", p.text("detail"), "50.00KiB")
		})
	}
}
