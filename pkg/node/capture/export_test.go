//go:build linux

package capture

import (
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/capturetest"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/sampling"
)

// Identifiers for the tests in package capture_test.
var (
	NewCgroup     = capturetest.NewCgroup
	NewThreadWall = sampling.NewThreadWall
	UntilUsed     = capturetest.UntilUsed
	WaitFor       = capturetest.WaitFor
)

const WaitLimit = capturetest.WaitLimit
