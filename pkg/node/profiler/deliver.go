//go:build linux

package profiler

import (
	"crypto/sha256"
	"fmt"
	"io"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

const (
	// endMark closes an SVG, so that its reader sees that nothing is missing.
	endMark = "<!-- kubectl-pprof: end of profile -->\n"
	// linger is how long the program stays after its last byte: kubectl drops what it has not
	// passed on when the container ends (kubernetes/kubernetes#124571).
	linger = 1500 * time.Millisecond
)

// deliver writes the profile to stdout and its length and digest to stderr, but for a terminal,
// where nobody can compare them.
func deliver(s Streams, p *profile.Profile, format render.Format) error {
	sum := sha256.New()
	counted := &counter{w: io.MultiWriter(s.Out, sum)}
	if err := render.Write(counted, p, format); err != nil {
		return fmt.Errorf("write the profile: %w", err)
	}
	if format == render.SVG {
		if _, err := io.WriteString(counted, endMark); err != nil {
			return fmt.Errorf("write the profile: %w", err)
		}
	}
	if !isTerminal(s.Out) {
		fmt.Fprintf(s.Err, "%d bytes, sha-256 %x\n", counted.n, sum.Sum(nil))
	}
	time.Sleep(linger)
	return nil
}

// counter counts the bytes that pass.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
