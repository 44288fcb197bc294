package cli

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/launch"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/requirements"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/version"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// imageVariable is the environment variable that replaces the default of --image.
const imageVariable = "KUBECTL_PPROF_IMAGE"

// Options are the flags and arguments of the command, and what Complete makes of them.
type Options struct {
	genericiooptions.IOStreams
	config *genericclioptions.ConfigFlags

	launch    launch.Options
	ephemeral bool
	job       bool
	types     []string
	request   api.Request // what the types have in common
	outputs   []string
	format    string
	json      bool
	container string
	policy    string
	dryRun    bool
	restarts  bool
	serves    bool   // the profiler is to be asked again and again
	port      string // of --from-endpoint; "" without it
	open      bool
	quiet     bool
	verbose   bool

	changed  func(flag string) bool // whether it was given
	requests []api.Request          // one for each type
	hint     string                 // what else the arguments could have meant
	query    target.Query           // its namespace is empty for that of --namespace or the context
	mode     launch.Mode
	files    []*file
	drawing  drawing
}

// NewOptions gives the defaults.
func NewOptions(streams genericiooptions.IOStreams) *Options {
	image := os.Getenv(imageVariable)
	if image == "" {
		image = version.Image()
	}
	return &Options{
		IOStreams: streams,
		config:    genericclioptions.NewConfigFlags(true),
		drawing:   drawing{stdout: streams.Out},
		types:     []string{"cpu"},
		request:   api.Request{Frequency: 99, MemProfileRate: api.DefaultMemProfileRate},
		changed:   func(string) bool { return false },
		launch:    launch.Options{Image: image, Duration: 30 * time.Second, Timeout: 2 * time.Minute},
	}
}

// AddFlags binds the options to the command's flags.
func (o *Options) AddFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SortFlags = false
	o.addTargetFlags(f)
	f.StringArrayVarP(&o.outputs, "output", "o", nil, "`file` or directory to write to, - for stdout; several give the profile in several formats; default: <pod>-<container>-<type>-<time> in the working directory")
	f.StringVarP(&o.format, "format", "f", "", "`format` of the output: "+strings.Join(formats(), ", ")+"; default: by the output's ending, else svg")
	f.BoolVar(&o.json, "json", false, "short for --format json")
	o.drawing.addFlags(cmd)
	o.addProfilingFlags(f)
	f.BoolVar(&o.dryRun, "dry-run", false, "print as YAML what would be created, checked by the API server, and create nothing")
	f.BoolVar(&o.open, "open", false, "open the output, the first of several, when it is written")
	o.addTalkFlags(f)
	connection := pflag.NewFlagSet("connection", pflag.ContinueOnError)
	o.config.AddFlags(connection)
	f.AddFlagSet(connection)
	setUsage(cmd, flagGroup{"Connection flags", connection})
	o.addFlagCompletion(cmd)
}

// addTargetFlags adds those that say what is sampled, and how long.
func (o *Options) addTargetFlags(f *pflag.FlagSet) {
	o.addContainerFlag(f)
	f.DurationVarP(&o.launch.Duration, "duration", "d", o.launch.Duration, "how long to sample, as in 30s or 2m")
}

// addProfilingFlags adds those that say how a profile is taken.
func (o *Options) addProfilingFlags(f *pflag.FlagSet) {
	o.addTypeFlag(f)
	f.IntVar(&o.request.Frequency, "frequency", o.request.Frequency, fmt.Sprintf("samples per second and CPU, 1 to %d", requirements.MaxFrequency))
	f.IntSliceVar(&o.request.PIDs, "pid", nil, "profile only these `processes`, numbered as inside the container")
	f.StringVar(&o.request.By, "by", "", "`level` to add below the process: "+api.ByThread+", for goroutine "+api.ByGoroutine)
	o.addMemProfileFlags(f)
	f.BoolVar(&o.request.Freeze, "freeze", false, "stop the container's threads for the milliseconds in which goroutines are read")
	f.BoolVar(&o.request.NoTimes, "no-times", false, "leave out when samples were taken: a smaller profile, without --from, --to and the strip of time")
	o.addModeFlags(f)
	o.addLaunchFlags(f)
	f.StringVar(&o.port, "from-endpoint", "", "take the profile from the program's own net/http/pprof, by port-forward and with nothing created; =`PORT` names its port; default: 6060, then the container's ports")
	f.Lookup("from-endpoint").NoOptDefVal = anyPort
	f.BoolVar(&o.restarts, "wait-for-restart", false, "go on with the container's next start when it ends; a Job sees its first second")
	f.StringVar((*string)(&o.launch.Transfer), "transfer", "", "the only `way` back that may be used: exec, attach or logs; default: the first of them that is permitted and works")
	f.DurationVar(&o.launch.Keep, "keep", 0, "keep the profiler for this long after the profile; another profile of the container reuses it, and ends it with --keep 0s")
	o.addTimeoutFlag(f)
	o.changed = f.Changed
}

// addTalkFlags adds those that say how much is told meanwhile.
func (o *Options) addTalkFlags(f *pflag.FlagSet) {
	f.BoolVarP(&o.quiet, "quiet", "q", false, "print nothing but errors")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "print every step and how long it took")
}

func (o *Options) addContainerFlag(f *pflag.FlagSet) {
	f.StringVarP(&o.container, "container", "c", "", "`container` to profile; default: that of the annotation kubectl.kubernetes.io/default-container, else the first")
}

func (o *Options) addTypeFlag(f *pflag.FlagSet) {
	f.StringSliceVar(&o.types, "type", o.types, "`types` of profile, taken at once: "+strings.Join(api.TypeNames(), ", ")+"; memory is heap")
}

func (o *Options) addMemProfileFlags(f *pflag.FlagSet) {
	f.BoolVar(&o.request.EnableMemProfile, "enable-memprofile", false, "turn the memory profile of Go programs on that have none, for the time of the profile: writes runtime.MemProfileRate in their memory, and the old value back")
	f.IntVar(&o.request.MemProfileRate, "memprofile-rate", o.request.MemProfileRate, "what --enable-memprofile writes: `bytes` allocated between two samples")
}

func (o *Options) addModeFlags(f *pflag.FlagSet) {
	f.BoolVar(&o.ephemeral, "ephemeral", false, "use an ephemeral container or fail; default: a Job where that is refused")
	f.BoolVar(&o.job, "job", false, "use a Job")
}

func (o *Options) addTimeoutFlag(f *pflag.FlagSet) {
	f.DurationVar(&o.launch.Timeout, "timeout", o.launch.Timeout, "how long the profiler may take to start, pulling its image included")
}

// addLaunchFlags adds those that say what is to be created.
func (o *Options) addLaunchFlags(f *pflag.FlagSet) {
	f.StringVarP(&o.launch.Image, "image", "i", o.launch.Image, "`image` of the profiler; also from $"+imageVariable)
	f.StringVar(&o.policy, "image-pull-policy", "", "`when` to pull the image: Always, IfNotPresent or Never; default: as the cluster does for its tag")
	f.StringVar(&o.launch.JobNamespace, "job-namespace", "", "`namespace` of the Job; default: that of the pod")
	f.StringVar(&o.launch.ImagePullSecret, "image-pull-secret", "", "`secret` with which the Job pulls the image")
	f.StringVar(&o.launch.ServiceAccount, "service-account", "", "service `account` of the Job's pod")
	f.BoolVar(&o.launch.Capabilities, "capabilities", false, "give the profiler a few capabilities instead of all privileges")
}

// Complete takes the arguments: [TYPE/]NAME, or NAMESPACE POD [CONTAINER].
func (o *Options) Complete(args []string) error {
	for _, arg := range args {
		if n, err := strconv.Atoi(arg); o.port == anyPort && err == nil && n > 0 && n <= 65535 {
			return fmt.Errorf("write --from-endpoint=%d: after a space it would be a name", n)
		}
	}
	var name string
	switch len(args) {
	case 0:
		return fmt.Errorf("name what to profile: [TYPE/]NAME, or NAMESPACE POD [CONTAINER]")
	case 1:
		name = args[0]
	case 2, 3:
		if n := *o.config.Namespace; n != "" && n != args[0] {
			return fmt.Errorf("two namespaces: %q as argument and %q by --namespace", args[0], n)
		}
		o.query.Namespace, name = args[0], args[1]
		if _, _, err := target.ParseName(args[0] + "/" + args[1]); err == nil {
			o.hint = fmt.Sprintf("; if %s is a type, write %s/%s", args[0], args[0], args[1])
		}
		if len(args) == 3 {
			if o.container != "" && o.container != args[2] {
				return fmt.Errorf("two containers: %q as argument and %q by --container", args[2], o.container)
			}
			o.container = args[2]
		}
	default:
		return fmt.Errorf("%d arguments: there are at most three, NAMESPACE POD CONTAINER", len(args))
	}
	var err error
	if o.query.Type, o.query.Name, err = target.ParseName(name); err != nil {
		return err
	}
	o.query.Container = o.container
	o.launch.PullPolicy = corev1.PullPolicy(o.policy)
	switch {
	case o.ephemeral && !o.job:
		o.mode = launch.Ephemeral
	case o.job:
		o.mode = launch.Job
	}
	if err := o.completeFormat(); err != nil {
		return err
	}
	return o.completeTypes()
}

// completeTypes makes a request for each type.
func (o *Options) completeTypes() error {
	types, err := api.TypesOf(o.types)
	if err != nil {
		return err
	}
	o.request.Duration = o.launch.Duration
	if err := o.request.Validate(types); err != nil {
		return err
	}
	for _, flag := range []struct {
		name  string
		takes func(api.ProfileType) bool
	}{
		{"frequency", func(t api.ProfileType) bool { return t.Frequency }},
		{"no-times", func(t api.ProfileType) bool { return t.Times }},
	} {
		if o.changed(flag.name) && !slices.ContainsFunc(types, flag.takes) {
			return fmt.Errorf("--%s is for other types than --type %s", flag.name, strings.Join(o.types, ","))
		}
	}
	for _, t := range types {
		r := t.Request(o.request)
		if r.By == "" && t.Name == "goroutine" && slices.ContainsFunc(o.files, func(f *file) bool { return f.format == render.Text }) {
			r.By = api.ByGoroutine // a traceback, which tells each of them
		}
		o.requests = append(o.requests, r)
	}
	o.tellLauncher()
	return nil
}

// tellLauncher tells what the profiler is to live for.
func (o *Options) tellLauncher() {
	o.launch.Requests, o.launch.Duration, o.launch.MemoryOnly = nil, 0, true
	for _, r := range o.requests {
		o.launch.Requests = append(o.launch.Requests, r.String())
		o.launch.Duration = max(o.launch.Duration, r.Duration)
		if t, err := api.TypeOf(r.Type); err != nil || t.NeedsBPF {
			o.launch.MemoryOnly = false
		}
	}
}

// completeFormat sets the files and their formats.
func (o *Options) completeFormat() (err error) {
	if o.json {
		if o.format != "" && o.format != string(render.JSON) {
			return fmt.Errorf("--json and --format %s exclude each other", o.format)
		}
		o.format = string(render.JSON)
	}
	o.files, err = chooseFiles(o.outputs, o.format, render.SVG)
	return err
}

// Validate refuses what cannot work, before anything is asked of the cluster.
func (o *Options) Validate() error {
	jobOnly := o.launch.JobNamespace + o.launch.ImagePullSecret + o.launch.ServiceAccount
	switch {
	case o.changed("memprofile-rate") && !o.request.EnableMemProfile:
		return fmt.Errorf("--memprofile-rate is for --enable-memprofile")
	case len(o.requests) > 1 && slices.ContainsFunc(o.files, func(f *file) bool { return isStream(f.path) }):
		return fmt.Errorf("--output -, or a device, is for one profile: of %d types each needs a file", len(o.requests))
	case o.launch.Keep < 0:
		return fmt.Errorf("--keep %v: it must not be below 0", o.launch.Keep)
	case o.launch.Transfer != "" && !slices.Contains(stream.Transfers(), o.launch.Transfer):
		return fmt.Errorf("--transfer %q: choose exec, attach or logs", o.launch.Transfer)
	case o.launch.Transfer == stream.Logs && o.launch.Keep > 0:
		return fmt.Errorf("--keep and --transfer logs exclude each other: through its log a profiler cannot be asked for another profile")
	case o.launch.Timeout <= 0:
		return fmt.Errorf("--timeout %v: it must be above 0", o.launch.Timeout)
	case o.launch.Image == "":
		return fmt.Errorf("--image is empty")
	case !slices.Contains([]corev1.PullPolicy{"", corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever}, o.launch.PullPolicy):
		return fmt.Errorf("--image-pull-policy %q: choose Always, IfNotPresent or Never", o.policy)
	case o.ephemeral && o.job:
		return fmt.Errorf("--ephemeral and --job exclude each other")
	case o.ephemeral && jobOnly != "":
		return fmt.Errorf("--job-namespace, --image-pull-secret and --service-account are for a Job, not for --ephemeral")
	case o.open && o.files[0].path == "-":
		return fmt.Errorf("--open needs a file, not --output -")
	case o.quiet && o.verbose:
		return fmt.Errorf("--quiet and --verbose exclude each other")
	}
	if err := o.validateEndpoint(); err != nil {
		return err
	}
	if err := validateFiles(o.files, o.Out); err != nil {
		return err
	}
	return o.drawing.validate(o.files)
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func formats() []string {
	var names []string
	for _, f := range render.Formats() {
		names = append(names, string(f))
	}
	return names
}
