//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// buildProgress counts the lines that `go build -v` prints, one for each package, and reports the
// count every ten seconds. It keeps the last lines, because they contain the error of a failed build.
type buildProgress struct {
	mu       sync.Mutex
	lines    int
	last     []byte
	out      io.Writer
	done     chan struct{}
	ticker   *time.Ticker
	reporter sync.WaitGroup
}

func newBuildProgress(out io.Writer) *buildProgress {
	p := &buildProgress{out: out, done: make(chan struct{}), ticker: time.NewTicker(10 * time.Second)}
	begin := time.Now()
	p.reporter.Go(func() {
		for {
			select {
			case <-p.done:
				return
			case <-p.ticker.C:
				p.mu.Lock()
				fmt.Fprintf(p.out, "  %3.0f s: %d packages compiled%s\n", time.Since(begin).Seconds(), p.lines, p.latest())
				p.mu.Unlock()
			}
		}
	})
	return p
}

// latest returns the package that was compiled last. Linking follows controlplane and takes some 30 s.
func (p *buildProgress) latest() string {
	lines := strings.Fields(string(p.last))
	if len(lines) == 0 {
		return ""
	}
	return ", the latest " + lines[len(lines)-1]
}

func (p *buildProgress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines += bytes.Count(b, []byte("\n"))
	p.last = append(p.last, b...)
	p.last = p.last[max(0, len(p.last)-2000):]
	return len(b), nil
}

func (p *buildProgress) stop() {
	p.ticker.Stop()
	close(p.done)
	p.reporter.Wait()
}

func (p *buildProgress) tail() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.last)
}
