//go:build linux

package capture

import (
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/capturetest"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/sampling"
)

// For the tests of package capture_test.
var (
	NewCgroup     = capturetest.NewCgroup
	NewThreadWall = sampling.NewThreadWall
	UntilUsed     = capturetest.UntilUsed
	WaitFor       = capturetest.WaitFor
)

const WaitLimit = capturetest.WaitLimit
