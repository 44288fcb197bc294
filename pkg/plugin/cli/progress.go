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

// progress tells what is going on: on a terminal by one line that changes, elsewhere by a line
// per step and one every plainInterval of sampling.
type progress struct {
	w       io.Writer
	live    bool
	quiet   bool
	verbose bool
	prefix  string // of each line, where several profiles are taken at once
	width   func() int

	mu    sync.Mutex
	shown string    // the live line
	step0 time.Time // of the current step
	last  string    // name of the current step
	next  time.Duration
	broke time.Time // when a broken connection was told of last
}

const (
	plainInterval = 10 * time.Second
	barWidth      = 20
)

func newProgress(w io.Writer, quiet, verbose bool) *progress {
	p := &progress{w: w, quiet: quiet, verbose: verbose, next: plainInterval, width: func() int { return 80 }}
	if isTerminal(w) && os.Getenv("TERM") != "dumb" {
		fd := int(w.(*os.File).Fd())
		p.live = !verbose
		p.width = func() int {
			if width, _, err := term.GetSize(fd); err == nil && width > 0 {
				return width
			}
			return 80
		}
	}
	return p
}

// step begins a step.
func (p *progress) step(format string, a ...any) {
	text := fmt.Sprintf(format, a...)
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.verbose && p.last != "" {
		fmt.Fprintf(p.w, "  %s%v for %s\n", p.prefix, now.Sub(p.step0).Round(time.Millisecond), p.last)
	}
	p.last, p.step0 = text, now
	p.show(text)
}

// note prints a line that stays.
func (p *progress) note(format string, a ...any) {
	if p.quiet {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	shown := p.shown
	p.erase()
	fmt.Fprintf(p.w, "%s%s\n", p.prefix, fmt.Sprintf(format, a...))
	if p.live && shown != "" {
		p.show(shown)
	}
}

// interrupted tells that the connection to the profiler broke: of several attempts within some seconds, once.
func (p *progress) interrupted(err error) {
	p.mu.Lock()
	again := time.Since(p.broke) < plainInterval
	if !again {
		p.broke = time.Now()
	}
	p.mu.Unlock()
	if !again {
		p.note("the connection to the profiler broke and is being opened again; sampling goes on: %v", err)
	}
}

// sampling shows how far a capture of the given duration is.
func (p *progress) sampling(now api.Progress, total time.Duration) {
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

// show puts a line in place of the live one, or below the others. The caller holds the lock.
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

// erase takes the live line away. The caller holds the lock.
func (p *progress) erase() {
	if p.live && p.shown != "" {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
	p.shown = ""
}

// clear takes the live line away.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
}
