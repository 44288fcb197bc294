//go:build linux

package profiler

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/google/pprof/profile"
	"github.com/spf13/cobra"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/requirements"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

type recordOptions struct {
	containerID string
	profileType string
	request     api.Request // its Type is not set before run
	format      string
}

func newRecordCommand(s Streams) *cobra.Command {
	var o recordOptions
	cmd := &cobra.Command{
		Use:   "record",
		Short: "Profile the container that shares its processes with this one and write the result to stdout",
		Long:  recordHelp, Example: recordExamples,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), s)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.containerID, "container-id", "", "ID of the container to profile (default: the container of PID 1)")
	r := &o.request
	f.StringVar(&o.profileType, "type", api.CPU.Name, "profile type: "+strings.Join(api.TypeNames(), ", "))
	f.DurationVarP(&r.Duration, "duration", "d", 10*time.Second, "how long to sample")
	f.IntVar(&r.Frequency, "frequency", api.DefaultFrequency, fmt.Sprintf("samples per second and CPU, 1 to %d", requirements.MaxFrequency))
	f.IntSliceVar(&r.PIDs, "pid", nil, "profile only these processes of the container")
	f.StringVar(&r.By, "by", "", "level below the process: "+api.ByThread+", or "+api.ByGoroutine+" for type goroutine")
	f.BoolVar(&r.EnableMemProfile, "enable-memprofile", false, "turn on the memory profile of Go programs while the profile is taken; writes their runtime.MemProfileRate")
	f.IntVar(&r.MemProfileRate, "memprofile-rate", api.DefaultMemProfileRate, "rate to write with --enable-memprofile, in allocated bytes per sample")
	f.BoolVar(&r.Freeze, "freeze", false, "stop the container's threads while goroutines are read")
	f.BoolVar(&r.UnsafeKernel, "unsafe-kernel", false, "use BPF even on a kernel that it may freeze (Linux 5.18 to 6.3 without a later fix)")
	f.StringVarP(&o.format, "format", "f", "", "one of "+formatNames()+" (default: a table on a terminal, else svg)")
	return cmd
}

func (o *recordOptions) run(ctx context.Context, s Streams) error {
	format, err := chooseFormat(s, o.format)
	if err != nil {
		return err
	}
	profileType, err := api.ParseType(o.profileType)
	if err != nil {
		return err
	}
	if err := o.request.Validate([]api.ProfileType{profileType}); err != nil {
		return fmt.Errorf("--%w", err) // flags are named like the parameters
	}
	o.request = profileType.Request(o.request)
	if uid := os.Geteuid(); uid != 0 {
		return fmt.Errorf("the profiler needs root and runs as user %d, which the pod or the image sets: "+
			"add --custom=root.yaml to kubectl debug, with the file that profiler --help shows", uid)
	}
	if o.containerID == "" {
		if o.containerID, err = containerOfPID1(); err != nil {
			return err
		}
	}
	if err := yieldToTarget(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	p, err := o.recordWithin(ctx)
	if err != nil {
		return err
	}
	return writeOutput(s, p, format)
}

// recordWithin takes the profile unless this process exceeds its bound on memory.
func (o *recordOptions) recordWithin(ctx context.Context) (*profile.Profile, error) {
	watched, stop := context.WithCancel(context.Background())
	defer stop()
	exhausted := make(chan error, 1)
	go func() { exhausted <- watchMemory(watched, maxMemory, anonymousMemory) }()
	type result struct {
		profile *profile.Profile
		err     error
	}
	taken := make(chan result, 1)
	go func() {
		p, err := o.record(ctx)
		taken <- result{p, err}
	}()
	select {
	case r := <-taken:
		return r.profile, r.err
	case err := <-exhausted:
		return nil, err // the program ends, and with it the capture
	}
}

// record takes the profile. Cancelling ctx stops sampling and keeps the result.
func (o *recordOptions) record(ctx context.Context) (*profile.Profile, error) {
	r := o.request
	c, err := capturer{containerID: o.containerID}.Start(r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, r.Duration)
	defer cancel()
	defer c.Close()
	p, err := c.Run(ctx)
	if err != nil {
		return nil, err
	}
	meta.Type.Add(p, r.Type.Name)
	meta.Container.Add(p, o.containerID)
	return p, nil
}

var errOwnContainer = errors.New("PID 1 belongs to the profiler's own container, so no target is visible: " +
	"start the profiler with kubectl debug --target=CONTAINER; the container runtime must support it")

// containerOfPID1 returns the ID of the container that kubectl debug --target names: its process 1 is PID 1 here as well.
func containerOfPID1() (string, error) {
	own, _, err := proc.ContainerID(os.Getpid())
	if err != nil {
		return "", err
	}
	target, _, err := proc.ContainerID(1)
	if err != nil {
		return "", err
	}
	if os.Getpid() == 1 || target != "" && target == own {
		return "", errOwnContainer
	}
	if target == "" {
		return "", errors.New("PID 1 is not in a container: name the container to profile with --container-id")
	}
	return target, nil
}
