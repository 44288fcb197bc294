package cli

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/launch"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/version"
)

// imageVariable is the environment variable that replaces the default of --image.
const imageVariable = "KUBECTL_PPROF_IMAGE"

// launchFlags configure how the profiler is started.
type launchFlags struct {
	ephemeral       bool
	job             bool
	image           string
	pullPolicy      string
	jobNamespace    string
	imagePullSecret string
	serviceAccount  string
	capabilities    bool
	transfer        string
	keep            time.Duration
	timeout         time.Duration
}

func newLaunchFlags() launchFlags {
	image := os.Getenv(imageVariable)
	if image == "" {
		image = version.Image()
	}
	return launchFlags{image: image, timeout: 2 * time.Minute}
}

func (l *launchFlags) addMode(f *pflag.FlagSet) {
	f.BoolVar(&l.ephemeral, "ephemeral", false, "use an ephemeral container or fail; default: use a Job if that is refused or the pod has too little CPU for it")
	f.BoolVar(&l.job, "job", false, "use a Job")
}

// addObject adds the flags for the object that is created.
func (l *launchFlags) addObject(f *pflag.FlagSet) {
	f.StringVarP(&l.image, "image", "i", l.image, "`image` of the profiler; $"+imageVariable+" sets the default")
	f.StringVar(&l.pullPolicy, "image-pull-policy", "", "`when` to pull the image: Always, IfNotPresent or Never; default: the cluster's for the image's tag")
	f.StringVar(&l.jobNamespace, "job-namespace", "", "`namespace` of the Job; default: the namespace of the pod")
	f.StringVar(&l.imagePullSecret, "image-pull-secret", "", "`secret` for pulling the image, for the Job")
	f.StringVar(&l.serviceAccount, "service-account", "", "service `account` of the Job's pod")
	f.BoolVar(&l.capabilities, "capabilities", false, "run the profiler with a few capabilities instead of privileged")
}

func (l *launchFlags) addTransfer(f *pflag.FlagSet, values string) {
	f.StringVar(&l.transfer, "transfer", "", "`way` to transfer the profile: "+values+"; default: the first that is permitted and works")
}

func (l *launchFlags) addKeep(f *pflag.FlagSet) {
	f.DurationVar(&l.keep, "keep", 0, "keep the profiler for this long after the profile, for another profile of the container from this machine; --keep 0s ends a kept profiler")
}

func (l *launchFlags) addTimeout(f *pflag.FlagSet) {
	f.DurationVar(&l.timeout, "timeout", l.timeout, "how long to wait for the profiler to start, including pulling its image")
}

// mode returns the mode that the flags demand, or launch.Auto.
func (l *launchFlags) mode() launch.Mode {
	switch {
	case l.ephemeral:
		return launch.Ephemeral
	case l.job:
		return launch.Job
	}
	return launch.Auto
}

func (l *launchFlags) options() launch.Options {
	return launch.Options{
		Image:           l.image,
		PullPolicy:      corev1.PullPolicy(l.pullPolicy),
		JobNamespace:    l.jobNamespace,
		ImagePullSecret: l.imagePullSecret,
		ServiceAccount:  l.serviceAccount,
		Capabilities:    l.capabilities,
		Transfer:        stream.Transfer(l.transfer),
		Keep:            l.keep,
		Timeout:         l.timeout,
	}
}

func (l *launchFlags) validate() error {
	switch {
	case l.keep < 0:
		return fmt.Errorf("--keep %v: must not be negative", l.keep)
	case l.transfer != "" && !slices.Contains(stream.Transfers(), stream.Transfer(l.transfer)):
		return fmt.Errorf("--transfer %q: choose exec, attach or logs", l.transfer)
	case l.transfer == string(stream.Logs) && l.keep > 0:
		return fmt.Errorf("--keep and --transfer logs exclude each other: over its log a profiler takes no further requests")
	case l.timeout <= 0:
		return fmt.Errorf("--timeout %v: must be above 0", l.timeout)
	case l.image == "":
		return fmt.Errorf("--image is empty")
	case !slices.Contains([]corev1.PullPolicy{"", corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever}, corev1.PullPolicy(l.pullPolicy)):
		return fmt.Errorf("--image-pull-policy %q: choose Always, IfNotPresent or Never", l.pullPolicy)
	case l.ephemeral && l.job:
		return fmt.Errorf("--ephemeral and --job exclude each other")
	case l.ephemeral && l.jobNamespace+l.imagePullSecret+l.serviceAccount != "":
		return fmt.Errorf("--job-namespace, --image-pull-secret and --service-account are for Jobs, not for --ephemeral")
	}
	return nil
}
