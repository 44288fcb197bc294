package doctor

import (
	"slices"

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
