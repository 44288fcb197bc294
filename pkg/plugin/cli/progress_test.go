package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

func story(p *progress) {
	p.Step("looking for web")
	p.Note("profiling pod web-0")
	for s := range int64(31) {
		p.Sampling(api.Progress{State: api.Sampling, ElapsedMs: s * 1000, Samples: uint64(99 * s), Lost: 3}, 30*time.Second)
	}
	p.Sampling(api.Progress{State: api.Symbolizing}, 30*time.Second)
	p.Sampling(api.Progress{State: api.Done}, 30*time.Second)
	p.clear()
}

func TestProgressInLines(t *testing.T) {
	var b bytes.Buffer
	story(newProgress(&b, verbosity{}))
	want := `looking for web
profiling pod web-0
sampling [######..............] 10s of 30s, 990 samples, 3 lost
sampling [#############.......] 20s of 30s, 1,980 samples, 3 lost
sampling [####################] 30s of 30s, 2,970 samples, 3 lost
looking up symbols
`
	if b.String() != want {
		t.Errorf("got:\n%s", &b)
	}
}

func TestProgressOnATerminal(t *testing.T) {
	var b bytes.Buffer
	p := newProgress(&b, verbosity{})
	p.live, p.width = true, func() int { return 40 }
	story(p)
	// A line is erased before the next takes its place, and at the end none is left.
	const erase = "\r\x1b[K"
	parts := strings.Split(b.String(), erase)
	if parts[0] != "looking for web" || parts[1] != "profiling pod web-0\nlooking for web" || parts[len(parts)-1] != "" {
		t.Errorf("got %q", parts)
	}
	for _, part := range parts {
		if last := part[strings.LastIndexByte(part, '\n')+1:]; len(last) > 39 {
			t.Errorf("%q wraps on 40 columns", last)
		}
	}
	if want := "looking up symbols"; parts[len(parts)-2] != want {
		t.Errorf("last shown %q, want %q", parts[len(parts)-2], want)
	}
}

func TestQuietProgress(t *testing.T) {
	var b bytes.Buffer
	story(newProgress(&b, verbosity{quiet: true}))
	if b.Len() > 0 {
		t.Errorf("got %q", &b)
	}
}

func TestPrintable(t *testing.T) {
	if got, want := printable("a\x1b[2Jb\u202ec\nd"), "a\uFFFD[2Jb\uFFFDc\uFFFDd"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := []rune(printable(strings.Repeat("é", 1000))); len(got) != 121 {
		t.Errorf("%d characters", len(got))
	}
}
