package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// progress prints what is going on. A terminal shows one line that changes; other writers get a line for each step and one
// per plainInterval of sampling. It implements session.Reporter.
type progress struct {
	w    io.Writer
	live bool
	verbosity
	prefix string // of each line, if several pods are profiled at the same time
	width  func() int

	mu    sync.Mutex
	shown string    // the live line
	step0 time.Time // of the current step
	last  string    // name of the current step
	next  time.Duration
}

const (
	plainInterval = 10 * time.Second
	barWidth      = 20
)

func newProgress(w io.Writer, v verbosity) *progress {
	p := &progress{w: w, verbosity: v, next: plainInterval, width: func() int { return 80 }}
	if isTerminal(w) && os.Getenv("TERM") != "dumb" {
		fd := int(w.(*os.File).Fd())
		p.live = !v.verbose
		p.width = func() int {
			if width, _, err := term.GetSize(fd); err == nil && width > 0 {
				return width
			}
			return 80
		}
	}
	return p
}

// Step shows a step that begins.
func (p *progress) Step(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.verbose && p.last != "" {
		fmt.Fprintf(p.w, "  %s%v for %s\n", p.prefix, now.Sub(p.step0).Round(time.Millisecond), p.last)
	}
	p.last, p.step0 = text, now
	p.show(text)
}

// Note prints a line that stays.
func (p *progress) Note(text string) {
	if p.quiet {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	shown := p.shown
	p.erase()
	fmt.Fprintf(p.w, "%s%s\n", p.prefix, text)
	if p.live && shown != "" {
		p.show(shown)
	}
}

func (p *progress) note(format string, a ...any) { p.Note(fmt.Sprintf(format, a...)) }

// Sampling shows how much of the given duration of sampling has passed.
func (p *progress) Sampling(now api.Progress, total time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var text string
	switch now.State {
	case api.Sampling:
		text = samplingText(now, total)
		if !p.live {
			if now.Elapsed() < p.next {
				return
			}
			p.next += plainInterval
		}
	case api.Symbolizing:
		text = "looking up symbols"
	default:
		return
	}
	if text != p.shown {
		p.show(text)
	}
}

func samplingText(now api.Progress, total time.Duration) string {
	elapsed := min(now.Elapsed(), total)
	filled := int(barWidth * elapsed / max(total, 1))
	return fmt.Sprintf("sampling [%s%s] %v of %v, %s, %d lost", strings.Repeat("#", filled), strings.Repeat(".", barWidth-filled),
		elapsed.Round(time.Second), total, count(int64(now.Samples), "sample"), now.Lost)
}

// show replaces the live line, or prints a line below the others. The caller holds the lock.
func (p *progress) show(text string) {
	if p.quiet {
		return
	}
	if !p.live {
		if text != p.shown {
			fmt.Fprintln(p.w, p.prefix+text)
		}
		p.shown = text
		return
	}
	if width := p.width() - 1; len(text) > width && width > 0 {
		text = text[:width]
	}
	p.erase()
	fmt.Fprint(p.w, text)
	p.shown = text
}

// erase removes the live line. The caller holds the lock.
func (p *progress) erase() {
	if p.live && p.shown != "" {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
	p.shown = ""
}

// clear removes the live line.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
}
