package launch

import (
	"errors"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
)

func TestAdmitStdin(t *testing.T) {
	all, onlyAttach := stream.Transfers(), []stream.Transfer{stream.Attach}
	withoutAttach := []stream.Transfer{stream.Exec, stream.Logs}
	stdinRefused := func(c *corev1.Container) error {
		if c.Stdin {
			return newRefusal(Ephemeral, "stdin is not allowed here")
		}
		return nil
	}
	down := errors.New("connection refused")
	for name, c := range map[string]struct {
		transfers []stream.Transfer
		admit     func(*corev1.Container) error // the dry run
		want      []stream.Transfer
		stdin     bool
		refused   bool
	}{
		"admitted":                 {all, func(*corev1.Container) error { return nil }, all, true, false},
		"refused":                  {all, stdinRefused, withoutAttach, false, false},
		"refused, only attach":     {onlyAttach, stdinRefused, onlyAttach, true, true},
		"refused with and without": {all, func(*corev1.Container) error { return newRefusal(Ephemeral, "no") }, all, true, true},
		"removed":                  {all, func(c *corev1.Container) error { c.Stdin = false; return nil }, withoutAttach, false, false},
		"removed, only attach":     {onlyAttach, func(c *corev1.Container) error { c.Stdin = false; return nil }, nil, false, true},
		"another error":            {all, func(*corev1.Container) error { return down }, all, true, false},
		"missing permission":       {all, func(*corev1.Container) error { return missingPermissions(Ephemeral) }, all, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			container := &corev1.Container{Stdin: true}
			runs := 0
			admit := func() error {
				runs++
				return c.admit(container)
			}
			got, err := admitStdin(Ephemeral, container, c.transfers, admit(), admit)
			if !slices.Equal(got, c.want) || container.Stdin != c.stdin || errors.As(err, new(*Refusal)) != c.refused {
				t.Errorf("got %v, stdin %v, %v", got, container.Stdin, err)
			}
			if lacksPermission(err) && runs != 1 {
				t.Errorf("%d dry runs", runs)
			}
		})
	}
}
