package launch

import (
	"crypto/rand"
	"strings"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

const (
	// Program is the profiler's path in its image.
	Program = "/profiler"
	// namePrefix begins the name of each Job and ephemeral container.
	namePrefix = "kubectl-pprof-"
	// resultTime is what a profiler may take after sampling for symbols and the transfer.
	resultTime = 2 * time.Minute
)

// newName returns a name that nobody can guess: 12 characters of base32 are 60 random bits. A Job's
// name must leave room for the suffix of its pod in a label, which has at most 63 bytes.
func newName() string { return namePrefix + strings.ToLower(rand.Text()[:12]) }

// IsProfiler reports whether a container with this name was created by this package.
func IsProfiler(name string) bool { return strings.HasPrefix(name, namePrefix) }

// deadline returns the time at which the profiler exits in any case: a kubelet may start a container
// hours after it was added (kubernetes/kubernetes#124176).
func deadline(o Options, now time.Time) time.Time {
	return now.Add(o.Timeout + o.Duration + resultTime + o.Keep)
}

// Restarts reports whether a profiler continues a request after restarts of the target. An ephemeral
// container ends with the target.
func Restarts(r api.Request, mode Mode, transfers []stream.Transfer) bool {
	return r.Restarts && mode == Job && !onlyLogs(transfers)
}

// arguments returns the profiler's arguments. They contain the requests, which the profiler prepares
// for, or takes at once if the transfers cannot carry any.
func arguments(mode Mode, t *target.Target, o Options, now time.Time, transfers []stream.Transfer) []string {
	args := []string{"serve",
		"--container-id=" + t.ContainerID,
		"--deadline=" + deadline(o, now).UTC().Format(time.RFC3339),
	}
	flag := "--prepare="
	if onlyLogs(transfers) {
		flag = "--to-log="
	}
	for _, r := range o.Requests {
		r.Restarts = Restarts(r, mode, transfers)
		args = append(args, flag+r.String())
	}
	if o.Keep > 0 && !onlyLogs(transfers) {
		args = append(args, "--keep="+o.Keep.String())
	}
	return args
}
