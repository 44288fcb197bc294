//go:build linux

package capture

import (
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

func TestEveryProfileTypeHasASampler(t *testing.T) {
	for _, p := range api.ProfileTypes() {
		if samplers[p] == nil {
			t.Errorf("there is no sampler for %s", p)
		}
	}
}
