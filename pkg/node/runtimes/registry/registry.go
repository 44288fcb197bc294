//go:build linux

// Package registry lists the language runtimes that are known. Its entry point is All.
package registry

import (
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang"
)

// All returns all runtimes.
func All() runtimes.Set { return runtimes.Set{golang.Language{}} }
