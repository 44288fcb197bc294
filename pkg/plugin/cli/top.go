package cli

import (
	"io"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

const topExamples = `  # Print the hottest functions of a profile
  kubectl pprof top web.pb.gz

  # Print what a handler spends its time on
  kubectl pprof top web.pb.gz --focus 'main\.checkout'

  # Print which functions allocate, from a heap profile of Go
  kubectl pprof top heap.pb.gz --sample alloc_space

  # Print the hottest functions of a library
  kubectl pprof top web.svg --module libssl`

func newTopCommand(streams genericiooptions.IOStreams) *cobra.Command {
	var parts filterFlags
	cmd := &cobra.Command{
		Use:                   "top FILE [flags]",
		DisableFlagsInUseLine: true,
		Short:                 "Print a profile's hottest functions",
		Long: `Print the comments of a profile and a table of its hottest functions. FILE is any file that
kubectl pprof convert reads; - is stdin.`,
		Example: topExamples,
		Args:    arguments(1, 1, "name one file to read"),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := parts.readFile(args[0], streams)
			if err != nil {
				return err
			}
			return writeBuffered(streams.Out, func(w io.Writer) error { return render.WriteTop(w, p) })
		},
	}
	parts.addTo(cmd)
	setUsage(cmd)
	return cmd
}
