// Package doctor checks whether a cluster allows profiling. Each check creates nothing, and has a
// verdict and, for a problem, a remedy. Its entry point is Examine. It must not depend on how a
// profile is taken.
package doctor

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
)

// timeout bounds each check.
const timeout = 15 * time.Second

// Examine runs all checks concurrently and returns their results in a fixed order. If the API server
// does not answer, or the target cannot be found, the checks that follow are left out.
func Examine(ctx context.Context, clients target.Clients, o Options) []Check {
	e := &examination{client: clients.Core, options: o}
	checks := []Check{e.server()}
	if checks[0].Verdict == Failed {
		return checks
	}
	if o.Query.Name != "" {
		t, err := target.Resolve(ctx, clients, o.Query)
		if err != nil {
			return append(checks, Check{"target", Failed, err.Error(), "name a running container"})
		}
		e.target = t
		checks = append(checks, Check{"target", OK, fmt.Sprintf("container %q of pod %s/%s on node %s", t.Container, t.Namespace(), t.Pod.Name, t.Node()), ""})
	}
	concurrent := []func(context.Context) []Check{e.permissions, e.transfers, e.endpoint, e.admission, e.podSecurity, e.node, e.image}
	if e.target != nil {
		concurrent = append(concurrent, e.pod, e.memory, e.cpu)
	}
	results := make([][]Check, len(concurrent))
	var wg sync.WaitGroup
	for i, check := range concurrent {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			results[i] = check(ctx)
		})
	}
	wg.Wait()
	return append(checks, slices.Concat(results...)...)
}

// server checks that the API server answers.
func (e *examination) server() Check {
	v, err := e.client.Discovery().ServerVersion()
	if err != nil {
		return Check{"API server", Failed, fmt.Sprintf("%s does not answer: %v", e.options.Host, err), "check the network, --context and --server"}
	}
	return Check{"API server", OK, fmt.Sprintf("%s runs Kubernetes %s", e.options.Host, v.GitVersion), ""}
}
