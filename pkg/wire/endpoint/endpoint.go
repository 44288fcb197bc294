// Package endpoint implements the HTTP interface of net/http/pprof: NewHandler serves profiles at its paths, and Client takes profiles
// from a program that serves them. It must not depend on Kubernetes or on how a profile is taken.
package endpoint

import (
	"context"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// Source takes the profiles that the handler serves.
type Source interface {
	// Profile takes a profile. Cancelling ctx ends it.
	Profile(ctx context.Context, r api.Request) (*profile.Profile, error)
	// Cmdline returns the arguments of the program, separated by zero bytes.
	Cmdline(ctx context.Context) ([]byte, error)
}

// Root is the path of the index. All other paths are below it.
const Root = "/debug/pprof/"
