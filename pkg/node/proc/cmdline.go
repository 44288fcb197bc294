//go:build linux

package proc

import "fmt"

// maxCmdline bounds the arguments of a process in bytes.
const maxCmdline = 1 << 20

// Cmdline returns the arguments of a process, each followed by a zero byte. They are read from the
// process's memory, so reading has a timeout.
func (p *Process) Cmdline() ([]byte, error) {
	return withTimeout(memoryTimeout, fmt.Sprintf("read the arguments of process %d", p.PID), func() ([]byte, error) {
		text, err := ofLivingThread(p, func(tid int) (string, error) {
			text, err := readBounded(threadPath(p.PID, tid, "cmdline"), maxCmdline)
			if err == nil && text == "" {
				err = errNoMappings
			}
			return text, err
		})
		if err == errNoMappings {
			err = nil
		}
		return []byte(text), err
	}, nil)
}
