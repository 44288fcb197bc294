//go:build linux

package profiler

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/google/pprof/profile"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/requirements"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

type recordOptions struct {
	containerID string
	request     api.Request
	format      string
}

func newRecordCommand(s Streams) *cobra.Command {
	var o recordOptions
	cmd := &cobra.Command{
		Use:   "record",
		Short: "Profile the container whose processes are seen here and write the result to stdout",
		Long:  recordHelp, Example: recordExamples,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), s)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.containerID, "container-id", "", "ID of the container to profile (default: the container of PID 1)")
	r := &o.request
	f.StringVar(&r.Type, "type", "cpu", "type of the profile: "+strings.Join(api.TypeNames(), ", "))
	f.DurationVarP(&r.Duration, "duration", "d", 10*time.Second, "how long to sample")
	f.IntVar(&r.Frequency, "frequency", 99, fmt.Sprintf("samples per second and CPU, 1 to %d", requirements.MaxFrequency))
	f.IntSliceVar(&r.PIDs, "pid", nil, "only these processes of the container")
	f.StringVar(&r.By, "by", "", "level to add below the process: "+api.ByThread+", for goroutine "+api.ByGoroutine)
	f.BoolVar(&r.EnableMemProfile, "enable-memprofile", false, "turn the memory profile of Go programs on for the time of the profile: writes their runtime.MemProfileRate")
	f.IntVar(&r.MemProfileRate, "memprofile-rate", api.DefaultMemProfileRate, "what to write, in bytes allocated between two samples")
	f.BoolVar(&r.Freeze, "freeze", false, "stop the container's threads while goroutines are read")
	f.StringVarP(&o.format, "format", "f", "", "one of "+formatNames()+" (default: a table on a terminal, else svg)")
	return cmd
}

func formatNames() string {
	var names []string
	for _, f := range render.Formats() {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

func (o *recordOptions) run(ctx context.Context, s Streams) error {
	format, err := o.chooseFormat(s)
	if err != nil {
		return err
	}
	types, err := api.TypesOf([]string{o.request.Type})
	if err != nil {
		return err
	}
	if err := o.request.Validate(types); err != nil {
		return err
	}
	o.request = types[0].Request(o.request)
	if uid := os.Geteuid(); uid != 0 {
		return fmt.Errorf("the profiler runs as user %d and needs root: the pod or the image says so; "+
			"add --custom=root.yaml to kubectl debug, with the file that profiler --help shows", uid)
	}
	if o.containerID == "" {
		if o.containerID, err = targetOfPID1(); err != nil {
			return err
		}
	}
	if err := behave(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	p, err := o.record(ctx)
	if err != nil {
		return err
	}
	return deliver(s, p, format)
}

// record makes the profile; the end of ctx ends the sampling early.
func (o *recordOptions) record(ctx context.Context) (*profile.Profile, error) {
	r := o.request
	c, err := capturer{containerID: o.containerID}.Start(r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, r.Duration)
	defer cancel()
	p, err := c.Run(ctx)
	if err != nil {
		return nil, err
	}
	p.Comments = append(p.Comments, "type: "+r.Type, "container: "+o.containerID)
	return p, nil
}

// chooseFormat keeps pictures and binary data off terminals.
func (o *recordOptions) chooseFormat(s Streams) (render.Format, error) {
	format := render.Format(o.format)
	if format != "" && !slices.Contains(render.Formats(), format) {
		return "", fmt.Errorf("--format %q is unknown; the formats are %s", o.format, formatNames())
	}
	onTerminal := isTerminal(s.Out)
	switch {
	case format == "" && onTerminal:
		return render.Text, nil
	case format == "":
		return render.SVG, nil
	case onTerminal && (format == render.SVG || format == render.HTML || format == render.Pprof || format == render.PNG):
		fmt.Fprintf(s.Err, "stdout is a terminal: a table instead of %s (for a file use kubectl debug --attach … > FILE without -t)\n", format)
		return render.Text, nil
	}
	return format, nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// errOwnContainer says that there is no target to be seen.
var errOwnContainer = errors.New("PID 1 is the profiler's own container, so there is no target to be seen: " +
	"start it with kubectl debug --target=CONTAINER, and note that the container runtime must support that")

// targetOfPID1 finds the container that kubectl debug --target names: its process 1 is ours too.
func targetOfPID1() (string, error) {
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
		return "", errors.New("PID 1 is in no container: name the container to profile by --container-id")
	}
	return target, nil
}
