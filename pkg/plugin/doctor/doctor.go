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

	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/launch"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
)

// Verdict is the outcome of a check.
type Verdict string

// Verdicts from the best to the worst.
const (
	OK      Verdict = "ok"
	Unknown Verdict = "unknown" // could not be checked
	Warning Verdict = "warning" // one way of profiling does not work, or something may go wrong
	Failed  Verdict = "failed"  // no profile can be taken
)

// rank orders the verdicts: the highest is the worst.
var rank = map[Verdict]int{OK: 0, Unknown: 1, Warning: 2, Failed: 3}

// Check is the result of one check.
type Check struct {
	Name    string  `json:"check"`
	Verdict Verdict `json:"verdict"`
	Detail  string  `json:"detail"`
	Remedy  string  `json:"remedy,omitempty"`
}

// Worst returns the worst verdict of the checks, or OK if there are none.
func Worst(checks []Check) Verdict {
	worst := OK
	for _, c := range checks {
		if rank[c.Verdict] > rank[worst] {
			worst = c.Verdict
		}
	}
	return worst
}

// failIfAllWarn turns the verdict of alternatives into Failed if each of them is Warning: then none
// of them works.
func failIfAllWarn(checks []Check) []Check {
	if slices.ContainsFunc(checks, func(c Check) bool { return c.Verdict != Warning }) {
		return checks
	}
	for i := range checks {
		checks[i].Verdict = Failed
	}
	return checks
}

// Options configure an examination.
type Options struct {
	Query  target.Query // without a Name, checks that need a target are left out
	Launch launch.Options
	Host   string // URL of the API server, for messages
}

// examination is shared by the checks.
type examination struct {
	client  kubernetes.Interface
	options Options
	target  *target.Target // nil if the query names none
}

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

func (e *examination) namespace() string {
	if e.target != nil {
		return e.target.Namespace()
	}
	return e.options.Query.Namespace
}

func (e *examination) jobNamespace() string {
	if n := e.options.Launch.JobNamespace; n != "" {
		return n
	}
	return e.namespace()
}
