//go:build linux

package profiler

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// Cmdline gives the arguments of the container's first process, as net/http/pprof gives those of its own.
func (c capturer) Cmdline() ([]byte, error) {
	processes, err := proc.InContainer(c.containerID)
	if err != nil {
		return nil, refusal(err)
	}
	first := slices.MinFunc(processes, func(a, b proc.Process) int { return cmp.Compare(a.NSPID, b.NSPID) })
	text, err := first.Cmdline()
	if err != nil {
		return nil, err
	}
	return bytes.TrimRight(text, "\x00"), nil
}
