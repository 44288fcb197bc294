//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// profiling is a run of the plugin whose stderr is a terminal, so that its progress can be followed.
type profiling struct {
	cmd    *exec.Cmd
	screen *safeBuffer   // all that was printed to the terminal
	closed chan struct{} // closed when the plugin has closed the terminal
	file   string        // the profile to be written
}

// startProfiling starts the plugin and returns when its progress line shows that it has sampled for
// the given time.
func startProfiling(t *testing.T, sampled time.Duration, args ...string) *profiling {
	t.Helper()
	p := &profiling{screen: new(safeBuffer), closed: make(chan struct{}), file: filepath.Join(t.TempDir(), "profile.pb.gz")}
	p.cmd = command(t, append(args, "-o", p.file)...)
	p.cmd.Env = append(os.Environ(), "TERM=xterm")
	terminal, stderr := openTerminal(t)
	p.cmd.Stderr = stderr
	err := p.cmd.Start()
	stderr.Close()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.closed)
		defer terminal.Close()
		io.Copy(p.screen, terminal) // ends with EIO when the plugin has ended
	}()
	eventually(t, time.Minute, fmt.Sprintf("%v of samples", sampled), func() (bool, string) {
		select {
		case <-p.closed:
			t.Fatalf("the plugin ended before it had sampled for %v: %v", sampled, p.wait(t))
		default:
		}
		screen := p.screen.String()
		return sampledFor(screen) >= sampled, screen
	})
	return p
}

func (p *profiling) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
}

// wait waits for the plugin to exit. In its stderr, the progress that it has erased is left out.
func (p *profiling) wait(t *testing.T) run {
	t.Helper()
	begin := time.Now()
	<-p.closed
	r := finish(t, p.cmd)
	r.stderr, r.took = visible(p.screen.String()), time.Since(begin)
	return r
}

// openTerminal opens a pseudo-terminal (pty(7)) and returns both of its ends.
func openTerminal(t *testing.T) (terminal, program *os.File) {
	t.Helper()
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(terminal.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return terminal, program
}

// progressLine matches what the plugin shows while it samples, such as
// "sampling [#####...............] 5s of 20s, 1,234 samples, 0 lost".
var progressLine = regexp.MustCompile(`sampling \[[#.]+\] (\S+) of \S+, (\S+) samples?,`)

// sampledFor returns the time on the last progress line with at least one sample.
func sampledFor(screen string) time.Duration {
	lines := progressLine.FindAllStringSubmatch(screen, -1)
	if len(lines) == 0 || lines[len(lines)-1][2] == "0" {
		return 0
	}
	d, _ := time.ParseDuration(lines[len(lines)-1][1])
	return d
}

var erased = regexp.MustCompile(`[^\n]*\r\x1b\[K`)

// visible returns what is left on a terminal of the text printed to it.
func visible(screen string) string {
	return erased.ReplaceAllString(strings.ReplaceAll(screen, "\r\n", "\n"), "")
}
