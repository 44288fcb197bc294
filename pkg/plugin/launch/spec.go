package launch

import (
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
)

const (
	// Program is the profiler's path in its image.
	Program = "/profiler"
	// namePrefix begins the names of all that we create.
	namePrefix = "kubectl-pprof-"
	// afterwards is the time that a profiler has after sampling for symbols and for handing over.
	afterwards = 2 * time.Minute
)

func newName() string { return namePrefix + rand.String(5) }

// deadline is when the profiler must be gone, whatever happens: a kubelet may start a container
// hours after it was asked to (kubernetes/kubernetes#124176).
func (o Options) deadline(now time.Time) time.Time {
	return now.Add(o.Timeout + o.Duration + afterwards + o.Keep)
}

// arguments are those of the profiler.
func arguments(t *target.Target, o Options, now time.Time, transfers []stream.Transfer) []string {
	args := []string{"serve",
		"--container-id=" + t.ContainerID,
		"--deadline=" + o.deadline(now).UTC().Format(time.RFC3339),
	}
	if unasked(transfers) {
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

// reusable holds for the arguments of a kept profiler of the same container that lives long
// enough for another profile.
func reusable(args []string, t *target.Target, o Options, now time.Time) bool {
	flags := map[string]string{}
	for _, arg := range args {
		if name, value, ok := strings.Cut(arg, "="); ok {
			flags[name] = value
		}
	}
	deadline, err := time.Parse(time.RFC3339, flags["--deadline"])
	return err == nil && flags["--keep"] != "" && flags["--container-id"] == t.ContainerID &&
		deadline.After(now.Add(o.Duration+afterwards))
}

// toMap gives an object as YAML would have it.
func toMap(object any) (map[string]any, error) {
	return runtime.DefaultUnstructuredConverter.ToUnstructured(object)
}

// IsOurs tells the name of something that we created.
func IsOurs(name string) bool { return strings.HasPrefix(name, namePrefix) }
