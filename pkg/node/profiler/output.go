//go:build linux

package profiler

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"
	"golang.org/x/term"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

const (
	// endMark ends an SVG, so that a reader can tell that nothing is missing.
	endMark = "<!-- kubectl-pprof: end of profile -->\n"
	// linger is how long the program runs on after its last byte: kubectl drops output that it has not forwarded when the
	// container ends (kubernetes/kubernetes#124571).
	linger = 1500 * time.Millisecond
)

// chooseFormat returns the format to write. It writes a table instead of a picture or binary data to a terminal.
func chooseFormat(s Streams, name string) (render.Format, error) {
	format := render.Format(name)
	if format != "" && !slices.Contains(render.Formats(), format) {
		return "", fmt.Errorf("--format %q is unknown; the formats are %s", name, formatNames())
	}
	onTerminal := isTerminal(s.Out)
	switch {
	case format == "" && onTerminal:
		return render.Text, nil
	case format == "":
		return render.SVG, nil
	case onTerminal && (format == render.SVG || format == render.HTML || format == render.Pprof || format == render.PNG):
		fmt.Fprintf(s.Err, "stdout is a terminal: a table instead of %s (to write a file, use kubectl debug --attach … > FILE without -t)\n", format)
		return render.Text, nil
	}
	return format, nil
}

// formatNames returns the names of all formats, separated by commas.
func formatNames() string {
	var names []string
	for _, f := range render.Formats() {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

// writeOutput writes the profile to stdout. Unless stdout is a terminal, it writes the output's length and SHA-256 to stderr.
func writeOutput(s Streams, p *profile.Profile, format render.Format) error {
	sum := sha256.New()
	counted := &countingWriter{w: io.MultiWriter(s.Out, sum)}
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

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// countingWriter counts the bytes written to w.
type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
