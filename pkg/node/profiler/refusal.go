//go:build linux

package profiler

import (
	"errors"
	"net/http"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/kernel"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang/profiles"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// Reasons why a profile cannot be taken here, as the client receives them in api.Error.
const (
	reasonNoBTF         = "no_btf"
	reasonKernelTooOld  = "kernel_too_old"
	reasonUnsafeKernel  = "unsafe_kernel"
	reasonNotPermitted  = "not_permitted"
	reasonNoContainer   = "no_container"
	reasonDeadline      = "deadline"
	reasonNoGo          = "no_go"
	reasonMemProfileOff = "memprofile_off" // a request with EnableMemProfile succeeds
	reasonNotCollected  = "not_collected"
)

// refusal returns a known error as an *api.Error with a reason and status, and any other error unchanged.
func refusal(err error) error {
	for _, known := range []struct {
		err    error
		status int
		reason string
	}{
		{kernel.ErrNoBTF, http.StatusNotImplemented, reasonNoBTF},
		{kernel.ErrKernelTooOld, http.StatusNotImplemented, reasonKernelTooOld},
		{kernel.ErrUnsafeUserReads, http.StatusNotImplemented, reasonUnsafeKernel},
		{kernel.ErrNotPermitted, http.StatusForbidden, reasonNotPermitted},
		{proc.ErrNoContainer, http.StatusNotFound, reasonNoContainer},
		{golang.ErrMemProfileOff, http.StatusConflict, reasonMemProfileOff},
		{golang.ErrNotCollected, http.StatusConflict, reasonNotCollected},
		{profiles.ErrMemoryRefused, http.StatusForbidden, reasonNotPermitted},
		{profiles.ErrNoGo, http.StatusNotFound, reasonNoGo},
	} {
		if errors.Is(err, known.err) {
			return &api.Error{Status: known.status, Reason: known.reason, Message: err.Error()}
		}
	}
	return err
}
