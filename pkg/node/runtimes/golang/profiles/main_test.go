//go:build linux

package profiles

import (
	"os"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/capturetest"
)

// TestMain lets the test binary be a target, too.
func TestMain(m *testing.M) {
	if capturetest.RunWorkload() {
		return
	}
	os.Exit(m.Run())
}
