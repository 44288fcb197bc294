package server

import (
	"context"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/slice"
)

// Capturer takes profiles.
type Capturer interface {
	// Start prepares a capture and returns when sampling can begin. The client receives an *api.Error unchanged.
	Start(api.Request) (Capture, error)
}

// Capture is one profile while it is being taken.
type Capture interface {
	// Run samples until ctx is done, which is not an error, and returns the profile.
	Run(ctx context.Context) (*profile.Profile, error)
	// Progress may be called at any time, also during Run. It never returns the states api.Done and api.Failed.
	Progress() api.Progress
	// Slice returns what was sampled since the slice before, or nil if sampling has ended. It may
	// be called during Run, but not by two goroutines at once.
	Slice() (*slice.Slice, error)
	// Steps returns the steps of the capture with their times. It is called after Run.
	Steps() []api.Step
	// Close frees the capture. It is called once, when the profile is ready to be sent.
	Close()
}

// Commander is implemented by a Capturer that can read the command line of the target's first process.
type Commander interface {
	// Cmdline returns the arguments, separated by zero bytes.
	Cmdline() ([]byte, error)
}
