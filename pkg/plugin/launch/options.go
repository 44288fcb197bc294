package launch

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// Mode is a way to launch the profiler.
type Mode string

// Auto prefers an ephemeral container and falls back to a Job.
const (
	Auto      Mode = ""
	Ephemeral Mode = "ephemeral container"
	Job       Mode = "Job"
)

// Options configure the launchers.
type Options struct {
	Image      string
	PullPolicy corev1.PullPolicy // empty: the API server's default for the image's tag
	Duration   time.Duration     // of sampling
	Keep       time.Duration     // how long the profiler waits for another request after the first; 0: it exits
	Timeout    time.Duration     // bounds the time until the profiler runs, including pulling its image

	// Capabilities requests a container with the required capabilities instead of a privileged one.
	Capabilities bool
	// MemoryOnly means that the profiles need no BPF: the profiler only reads the target's memory.
	MemoryOnly bool

	// Fresh starts a new profiler even if there is a kept one.
	Fresh bool

	// Transfer is the only transfer to use; empty: the best one that is permitted.
	Transfer stream.Transfer
	// Requests are the profiles that a profiler prepares for, and takes if no request can reach it.
	// Restarts is set if a Job that can be sent requests is to continue after restarts of the target.
	Requests []api.Request

	// Ready reports whether the profiler in a container answers; it may be nil. Launch calls it while
	// the container starts, and not after Launch has returned.
	Ready func(ctx context.Context, ref stream.Ref) bool

	JobNamespace    string // empty: the target's
	ImagePullSecret string // of the Job's pod; an ephemeral container uses the secrets of the target's pod
	ServiceAccount  string // of the Job's pod; empty: the namespace's default
}
