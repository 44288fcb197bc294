//go:build linux

package proc

import "fmt"

// maxCmdline bounds the arguments of a process in bytes.
const maxCmdline = 1 << 20

// Cmdline returns the arguments of a process, each followed by a zero byte. They are read from the
// process's memory, so reading has a timeout.
func (p *Process) Cmdline() ([]byte, error) {
	return withTimeout(memoryTimeout, fmt.Sprintf("read the arguments of process %d", p.PID), func() ([]byte, error) {
		text, err := readBounded(p.path("cmdline"), maxCmdline)
		return []byte(text), err
	}, nil)
}
