//go:build unix

package cli

import (
	"bytes"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/terminal"
)

// The help is as wide as the terminal, which Main wraps in a Writer.
func TestHelpWidth(t *testing.T) {
	tty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	for columns, want := range map[uint16]int{0: 100, 40: 100, 72: 72, 200: 200} {
		if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: 24}); err != nil {
			t.Fatal(err)
		}
		if got := helpWidth(terminal.NewWriter(tty)); got != want {
			t.Errorf("a terminal of %d columns: %d, want %d", columns, got, want)
		}
	}
	if got := helpWidth(new(bytes.Buffer)); got != 100 {
		t.Errorf("no terminal: %d", got)
	}
}
