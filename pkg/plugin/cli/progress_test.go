package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/terminal"
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

func TestTimingOnlyIfVerbose(t *testing.T) {
	for verbose, want := range map[bool]string{
		false: "",
		true:  "  profiler, cpu: load 121ms, sampling 5s\n",
	} {
		var b bytes.Buffer
		newProgress(&b, verbosity{verbose: verbose}).Timing("cpu", []api.Step{
			{Name: "load", Took: 120600 * time.Microsecond}, {Name: "waiting", Took: 100}, {Name: "sampling", Took: 5 * time.Second},
		})
		if b.String() != want {
			t.Errorf("verbose %v: got %q, want %q", verbose, &b, want)
		}
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

// A line is cut between characters, and what is escaped in it counts as several.
func TestProgressOfHostileNames(t *testing.T) {
	var b bytes.Buffer
	p := newProgress(terminal.NewWriter(&b), verbosity{})
	p.live, p.width = true, func() int { return 12 }
	p.Step("größe大小大小大小大小")
	p.Step("x\x1b[2J\x1b[2J\x1b[2J")
	p.clear()
	if got, want := b.String(), "größe大小大小大小\r\x1b[K"+`x\x1b[2J\x1`+"\r\x1b[K"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestQuietProgress(t *testing.T) {
	var b bytes.Buffer
	story(newProgress(&b, verbosity{quiet: true}))
	if b.Len() > 0 {
		t.Errorf("got %q", &b)
	}
}
