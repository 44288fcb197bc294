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

// launchFlags say how the profiler is started.
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
	f.BoolVar(&l.ephemeral, "ephemeral", false, "use an ephemeral container or fail; default: a Job where that is refused")
	f.BoolVar(&l.job, "job", false, "use a Job")
}

// addObject adds the flags for the object that is created.
func (l *launchFlags) addObject(f *pflag.FlagSet) {
	f.StringVarP(&l.image, "image", "i", l.image, "`image` of the profiler; also from $"+imageVariable)
	f.StringVar(&l.pullPolicy, "image-pull-policy", "", "`when` to pull the image: Always, IfNotPresent or Never; default: as the cluster does for its tag")
	f.StringVar(&l.jobNamespace, "job-namespace", "", "`namespace` of the Job; default: that of the pod")
	f.StringVar(&l.imagePullSecret, "image-pull-secret", "", "`secret` with which the Job pulls the image")
	f.StringVar(&l.serviceAccount, "service-account", "", "service `account` of the Job's pod")
	f.BoolVar(&l.capabilities, "capabilities", false, "give the profiler a few capabilities instead of all privileges")
}

func (l *launchFlags) addTransfer(f *pflag.FlagSet, values string) {
	f.StringVar(&l.transfer, "transfer", "", "the only `way` back that may be used: "+values+"; default: the first of them that is permitted and works")
}

func (l *launchFlags) addKeep(f *pflag.FlagSet) {
	f.DurationVar(&l.keep, "keep", 0, "keep the profiler for this long after the profile; another profile of the container reuses it, and ends it with --keep 0s")
}

func (l *launchFlags) addTimeout(f *pflag.FlagSet) {
	f.DurationVar(&l.timeout, "timeout", l.timeout, "how long the profiler may take to start, pulling its image included")
}

// mode returns the mode that the flags insist on, if any.
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
		return fmt.Errorf("--keep %v: it must not be below 0", l.keep)
	case l.transfer != "" && !slices.Contains(stream.Transfers(), stream.Transfer(l.transfer)):
		return fmt.Errorf("--transfer %q: choose exec, attach or logs", l.transfer)
	case l.transfer == string(stream.Logs) && l.keep > 0:
		return fmt.Errorf("--keep and --transfer logs exclude each other: through its log a profiler cannot be asked for another profile")
	case l.timeout <= 0:
		return fmt.Errorf("--timeout %v: it must be above 0", l.timeout)
	case l.image == "":
		return fmt.Errorf("--image is empty")
	case !slices.Contains([]corev1.PullPolicy{"", corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever}, corev1.PullPolicy(l.pullPolicy)):
		return fmt.Errorf("--image-pull-policy %q: choose Always, IfNotPresent or Never", l.pullPolicy)
	case l.ephemeral && l.job:
		return fmt.Errorf("--ephemeral and --job exclude each other")
	case l.ephemeral && l.jobNamespace+l.imagePullSecret+l.serviceAccount != "":
		return fmt.Errorf("--job-namespace, --image-pull-secret and --service-account are for a Job, not for --ephemeral")
	}
	return nil
}
