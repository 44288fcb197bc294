// Package browser drives a real browser over the files that pkg/profile/render writes, for tests
// and benchmarks.
package browser

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Start starts Debian's chromium without a GPU. Stop ends it.
func Start(ctx context.Context) (browser context.Context, stop func(), err error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return nil, nil, fmt.Errorf("chromium is missing (test/deps installs it): %w", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1280, 900))
	allocated, stopAllocated := chromedp.NewExecAllocator(ctx, options...)
	browser, stopBrowser := chromedp.NewContext(allocated)
	stop = func() { stopBrowser(); stopAllocated() }
	if err := chromedp.Do(browser); err != nil {
		stop()
		return nil, nil, err
	}
	return browser, stop, nil
}

// Page is a tab. It collects what the page writes to the console.
type Page struct {
	t   testing.TB
	ctx context.Context

	mu      sync.Mutex
	console []string
}

// Open opens an address in a new tab, which is closed at the end of the test.
func Open(t testing.TB, browser context.Context, url string) *Page {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(browser)
	t.Cleanup(closeTab)
	p := &Page{t: t, ctx: ctx}
	if err := chromedp.Do(ctx); err != nil { // without a time limit, which would apply to the whole life of the tab
		t.Fatal(err)
	}
	p.listen(func(event any) {
		p.mu.Lock()
		defer p.mu.Unlock()
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			p.console = append(p.console, exception(e.ExceptionDetails))
		case *log.EventEntryAdded:
			p.console = append(p.console, e.Entry.Text)
		case *runtime.EventConsoleAPICalled:
			p.console = append(p.console, fmt.Sprintf("console.%s %v", e.Type, e.Args))
		}
	})
	p.Do(call(log.Enable, cdp.Empty{}), chromedp.Navigate(url))
	return p
}

func (p *Page) listen(do func(any)) {
	p.t.Helper()
	if err := chromedp.Listen(p.ctx, do); err != nil {
		p.t.Fatal(err)
	}
}

// call is a command of the DevTools protocol whose response is ignored.
func call[P, R any](command cdp.Command[P, R], parameters P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, command, parameters)
		return err
	})
}

func exception(e *runtime.ExceptionDetails) string {
	if e.Exception != nil {
		return e.Text + " " + e.Exception.Description
	}
	return e.Text
}

// Do runs browser actions. It fails the test if one fails.
func (p *Page) Do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// Console returns what the page has written to the console. A page that works writes nothing.
func (p *Page) Console() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.console...)
}

// Eval returns the value of an expression in the page. It awaits a promise.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	return Get(p, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// Get runs an action that returns a value.
func Get[T any](p *Page, action chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, time.Minute)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		p.t.Fatal(err)
	}
	return value
}

// Await waits until an expression is true.
func (p *Page) Await(expression string) {
	p.t.Helper()
	deadline := time.Now().Add(45 * time.Second)
	for !Eval[bool](p, "!!("+expression+")") {
		if time.Now().After(deadline) {
			p.t.Fatalf("condition never became true: %s; console: %q; text of the page: %q", expression, p.Console(),
				Eval[string](p, "(document.querySelector('[data-role=detail]')||document.documentElement).textContent.slice(0,500)"))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Press presses keys, such as "n" or kb.Enter.
func (p *Page) Press(keys string) { p.t.Helper(); p.Do(chromedp.KeyEvent(keys)) }

// Type types a text into the focused field and presses Enter.
func (p *Page) Type(text string) {
	p.t.Helper()
	p.Do(chromedp.Evaluate[chromedp.Void]("document.activeElement.value = ''"), call(input.InsertText, input.InsertTextParams{Text: text}), chromedp.KeyEvent(kb.Enter))
}

// Serve serves content with a Content-Security-Policy header, or without one if csp is empty.
func Serve(t testing.TB, contentType, policy string, content []byte) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "favicon") {
			return
		}
		w.Header().Set("Content-Type", contentType)
		if policy != "" {
			w.Header().Set("Content-Security-Policy", policy)
		}
		w.Write(content)
	}))
	t.Cleanup(s.Close)
	return s.URL + "/"
}
