// Package endpoint speaks the HTTP of net/http/pprof, from both sides: NewHandler serves profiles by its paths, Client takes
// them from a program that has it. It must not know how a profile is made, nor of Kubernetes.
package endpoint

import (
	"context"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// Source gives the profiles that a Handler serves. The end of ctx ends the making.
type Source interface {
	Profile(ctx context.Context, r api.Request) (*profile.Profile, error)
	// Cmdline gives the arguments of the program, a zero byte between two.
	Cmdline(ctx context.Context) ([]byte, error)
}

// Root is where everything is.
const Root = "/debug/pprof/"
