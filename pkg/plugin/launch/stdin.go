package launch

import (
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
)

// admitStdin returns the transfers that remain after a dry run of the profiler's container, and the
// error of the dry run. Only attach needs stdin: if the cluster refuses the container, and another
// transfer is permitted, admit sends the container again without stdin. Missing permissions would
// be missing again.
func admitStdin(
	mode Mode, c *corev1.Container, transfers []stream.Transfer, err error, admit func() error,
) ([]stream.Transfer, error) {
	rest := slices.DeleteFunc(slices.Clone(transfers), func(t stream.Transfer) bool { return t == stream.Attach })
	if errors.As(err, new(*Refusal)) && !lacksPermission(err) && c.Stdin && len(rest) > 0 {
		c.Stdin = false
		if admit() == nil {
			return rest, nil
		}
		c.Stdin = true
	}
	switch {
	case err != nil || c.Stdin:
		return transfers, err
	case len(transfers) > 0 && len(rest) == 0:
		removed := change{"container", "stdin is false, not true", "exec needs no stdin: ask for the permission to create pods/exec"}
		return nil, removed.refusal(mode)
	}
	return rest, nil
}
