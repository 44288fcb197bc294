package cli

import (
	"io"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

const topExamples = `  # The hottest functions of a profile
  kubectl pprof top web.pb.gz

  # What a handler spends its time on
  kubectl pprof top web.pb.gz --focus 'main\.checkout'

  # Who allocates, in a heap profile of Go
  kubectl pprof top heap.pb.gz --sample alloc_space`

func newTopCommand(streams genericiooptions.IOStreams) *cobra.Command {
	var l loading
	cmd := &cobra.Command{
		Use:                   "top FILE [flags]",
		DisableFlagsInUseLine: true,
		Short:                 "Print a profile's hottest functions",
		Long: `Print what a profile says of itself and a table of its hottest functions. FILE is what
kubectl pprof convert reads; - is stdin.`,
		Example: topExamples,
		Args:    arguments(1, 1, "name one file to read"),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := l.load(args[0], streams.In)
			if err != nil {
				return err
			}
			return writeBuffered(streams.Out, func(w io.Writer) error { return render.WriteTop(w, p) })
		},
	}
	l.addFlags(cmd)
	setPlainUsage(cmd)
	return cmd
}
