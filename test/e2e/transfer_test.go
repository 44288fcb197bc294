package e2e

import (
	"testing"
)

// Each way back brings the whole profile, from an ephemeral container and from a Job, to a user who may use no other.
func TestEachTransfer(t *testing.T) {
	for _, transfer := range []string{"exec", "attach", "logs"} {
		t.Run(transfer, func(t *testing.T) {
			for _, mode := range []string{"ephemeral", "job"} {
				t.Run(mode, func(t *testing.T) {
					ns := namespace(t, "")
					start(t, podOf(ns, "web", shop()))
					p, _ := profileOf(t, "--"+mode, "--transfer", transfer, "-n", ns, "web", "-d", "2s")
					expectFunctions(t, p, []string{"main.priceCart"}, nil)
				})
			}
		})
	}
}
