package doctor

import (
	"context"
	"fmt"
	"strings"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/launch"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
)

// transfers checks the permissions for each transfer, in the namespace of the target and in that of
// the Job. One transfer suffices; the first is the best.
func (e *examination) transfers(ctx context.Context) []Check {
	checks := e.transfersFrom(ctx, e.namespace(), "")
	if n := e.jobNamespace(); n != e.namespace() {
		checks = append(checks, e.transfersFrom(ctx, n, " in "+n)...)
	}
	return failIfAllWarn(checks)
}

// transfersFrom checks the transfers from a profiler in a namespace. The suffix completes the names of
// the checks.
func (e *examination) transfersFrom(ctx context.Context, namespace, suffix string) (checks []Check) {
	for _, t := range stream.Transfers() {
		c := e.transfer(ctx, t, namespace)
		c.Name += suffix
		checks = append(checks, c)
	}
	return checks
}

func (e *examination) transfer(ctx context.Context, t stream.Transfer, namespace string) Check {
	name := "transfer: " + string(t)
	granted, missing, err := e.review(ctx, namespace, launch.TransferRule(t))
	switch {
	case err != nil:
		return unknownPermissions(name, err)
	case len(missing) == 0:
		return Check{name, OK, "you may " + strings.Join(granted, ", "), ""}
	case len(granted) == 0:
		return Check{name, Warning, "you may not " + strings.Join(missing, ", nor "),
			fmt.Sprintf("ask for the permissions that `kubectl pprof rbac --transfer %s -n %s` prints", t, namespace)}
	}
	return Check{name, OK, fmt.Sprintf("you may %s, but not %s: only one of WebSocket (get) and SPDY (create) works; with Kubernetes 1.35 and later neither works without create",
		strings.Join(granted, ", "), strings.Join(missing, ", ")), ""}
}
