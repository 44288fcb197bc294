package launch

import (
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
)

const (
	// Program is the profiler's path in its image.
	Program = "/profiler"
	// namePrefix begins the name of each Job and ephemeral container.
	namePrefix = "kubectl-pprof-"
	// resultTime is what a profiler may take after sampling for symbols and the transfer.
	resultTime = 2 * time.Minute
)

func newName() string { return namePrefix + rand.String(5) }

// IsProfiler reports whether a container with this name was created by this package.
func IsProfiler(name string) bool { return strings.HasPrefix(name, namePrefix) }

// deadline returns the time at which the profiler exits in any case: a kubelet may start a container
// hours after it was added (kubernetes/kubernetes#124176).
func deadline(o Options, now time.Time) time.Time {
	return now.Add(o.Timeout + o.Duration + resultTime + o.Keep)
}

// arguments returns the profiler's arguments. They contain the requests if the transfers cannot
// carry any.
func arguments(t *target.Target, o Options, now time.Time, transfers []stream.Transfer) []string {
	args := []string{"serve",
		"--container-id=" + t.ContainerID,
		"--deadline=" + deadline(o, now).UTC().Format(time.RFC3339),
	}
	if onlyLogs(transfers) {
		for _, r := range o.Requests {
			args = append(args, "--to-log="+r)
		}
		return args
	}
	if o.Keep > 0 {
		args = append(args, "--keep="+o.Keep.String())
	}
	return args
}

// reusable reports whether the arguments are those of a kept profiler of the same container whose
// deadline leaves enough time for another profile.
func reusable(args []string, t *target.Target, o Options, now time.Time) bool {
	flags := map[string]string{}
	for _, arg := range args {
		if name, value, ok := strings.Cut(arg, "="); ok {
			flags[name] = value
		}
	}
	end, err := time.Parse(time.RFC3339, flags["--deadline"])
	return err == nil && flags["--keep"] != "" && flags["--container-id"] == t.ContainerID &&
		end.After(now.Add(o.Duration+resultTime))
}
