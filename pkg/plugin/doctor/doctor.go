// Package doctor says beforehand what a cluster allows: each check asks, creates nothing, and gives a verdict with the
// remedy. Its entry point is Examine. It must not know how a profile is made.
package doctor

import (
	"context"
	"fmt"
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
	Unknown Verdict = "unknown" // it could not be checked
	Warning Verdict = "warning" // one way of profiling is closed, or something may go wrong
	Failed  Verdict = "failed"  // no profile can be taken
)

// rank orders verdicts.
var rank = map[Verdict]int{OK: 0, Unknown: 1, Warning: 2, Failed: 3}

// Check is one line of the result.
type Check struct {
	Name    string  `json:"check"`
	Verdict Verdict `json:"verdict"`
	Detail  string  `json:"detail"`
	Remedy  string  `json:"remedy,omitempty"`
}

// Worst is the worst verdict of all.
func Worst(checks []Check) Verdict {
	worst := OK
	for _, c := range checks {
		if rank[c.Verdict] > rank[worst] {
			worst = c.Verdict
		}
	}
	return worst
}

// Options say what is to be examined.
type Options struct {
	Query  target.Query // without a Name only what needs no target is examined
	Launch launch.Options
	Host   string // URL of the API server, for its line
}

// examination is what the checks share.
type examination struct {
	client  kubernetes.Interface
	options Options
	target  *target.Target // nil if none was named
}

// timeout bounds each check.
const timeout = 15 * time.Second

// Examine runs all checks at once and gives their results in a fixed order. Those that make no sense without a target
// are left out when none is named; when the API server does not answer, or the target cannot be found, all others are.
func Examine(ctx context.Context, clients target.Clients, o Options) []Check {
	e := &examination{client: clients.Core, options: o}
	first := []Check{e.server()}
	if first[0].Verdict == Failed {
		return first
	}
	if o.Query.Name != "" {
		t, err := target.Resolve(ctx, clients, o.Query)
		if err != nil {
			return append(first, Check{"target", Failed, err.Error(), "name a container that runs"})
		}
		e.target = t
		first = append(first, Check{"target", OK, fmt.Sprintf("container %q of pod %s/%s on node %s", t.Container, t.Namespace(), t.Pod.Name, t.Node()), ""})
	}
	all := []func(context.Context) []Check{e.permissions, e.transfers, e.endpoint, e.admission, e.podSecurity, e.node, e.image}
	if e.target != nil {
		all = append(all, e.pod, e.memory)
	}
	results := make([][]Check, len(all))
	var wg sync.WaitGroup
	for i, check := range all {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			results[i] = check(ctx)
		})
	}
	wg.Wait()
	for _, r := range results {
		first = append(first, r...)
	}
	return first
}

// server asks the API server for its version.
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
