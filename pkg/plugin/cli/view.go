package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/view"
)

const viewExamples = `  # Look at a profile in the browser
  kubectl pprof view web.pb.gz --open

  # Serve a profile on a fixed port, to be forwarded from a machine without a browser
  kubectl pprof view web.pb.gz --http localhost:8080

  # Look at one handler only
  kubectl pprof view web.pb.gz --focus 'main\.checkout'`

func newViewCommand(streams genericiooptions.IOStreams, signals <-chan os.Signal) *cobra.Command {
	var parts filterFlags
	var open bool
	address := view.DefaultAddress
	cmd := &cobra.Command{
		Use:                   "view FILE [flags]",
		DisableFlagsInUseLine: true,
		Short:                 "Serve a profile to the browser",
		Long: `Serve a profile as the web pages of go tool pprof and as a flame graph, until Ctrl-C. FILE is any file
that kubectl pprof convert reads; - is stdin.

Only this machine can connect, unless --http names another address. Then everyone who can reach that
address sees the profile, and source files are not shown.`,
		Example: viewExamples,
		Args:    arguments(1, 1, "name one file to read"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := parts.readFile(args[0], streams.In)
			if err != nil {
				return err
			}
			if err := checkDrawable(p); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			_, early, done := handleSignals(cmd.Context(), signals)
			defer done()
			return view.Serve(early, p, address, func(url string) {
				fmt.Fprintf(streams.ErrOut, "serving %s on %s until Ctrl-C\n", args[0], url)
				if !open {
					return
				}
				if err := openOnDesktop(url); err != nil {
					fmt.Fprintln(streams.ErrOut, err)
				}
			}, streams.ErrOut)
		},
	}
	cmd.Flags().StringVar(&address, "http", address, "`address` to serve on; port 0 chooses a free one")
	cmd.Flags().BoolVar(&open, "open", false, "open the page in the browser")
	parts.addTo(cmd)
	setUsage(cmd)
	return cmd
}
