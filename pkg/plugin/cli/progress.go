package cli

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/terminal"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// progress prints what is going on. A terminal shows one line that changes; other writers get a
// line for each step and one per plainInterval of sampling. It implements session.Reporter.
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
	if terminal.Is(w) && os.Getenv("TERM") != "dumb" {
		p.live = !v.verbose
		p.width = func() int { return cmp.Or(terminal.Columns(w), 80) }
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

// Timing prints how long the profiler's steps took, if each step is to be printed.
func (p *progress) Timing(profileType string, steps []api.Step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.verbose {
		return
	}
	var texts []string
	for _, s := range steps {
		if s.Took < time.Millisecond/2 {
			continue
		}
		texts = append(texts, fmt.Sprintf("%s %v", s.Name, s.Took.Round(time.Millisecond)))
	}
	if len(texts) == 0 { // an older profiler reports none
		return
	}
	fmt.Fprintf(p.w, "  %sprofiler, %s: %s\n", p.prefix, profileType, strings.Join(texts, ", "))
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
	// An escaped character takes several columns, and a line that wraps cannot be erased.
	line := []rune(string(terminal.Escape([]byte(text))))
	if width := p.width() - 1; len(line) > width && width > 0 {
		line = line[:width]
	}
	p.erase()
	fmt.Fprint(p.w, string(line))
	p.shown = text
}

// erase removes the live line. The caller holds the lock.
func (p *progress) erase() {
	if p.live && p.shown != "" {
		fmt.Fprint(terminal.Unescaped(p.w), "\r\x1b[K")
	}
	p.shown = ""
}

// clear removes the live line.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
}
