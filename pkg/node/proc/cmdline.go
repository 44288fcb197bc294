//go:build linux

package proc

import "fmt"

// maxCmdline bounds the arguments of a process, in bytes.
const maxCmdline = 1 << 20

// Cmdline gives the arguments of a process, each with a zero byte after it. They are in its memory, which may be slow.
func (p *Process) Cmdline() ([]byte, error) {
	return withTimeout(memoryTimeout, fmt.Sprintf("read the arguments of process %d", p.PID), func() ([]byte, error) {
		text, err := readBounded(p.path("cmdline"), maxCmdline)
		return []byte(text), err
	}, nil)
}
