package cli

import (
	"errors"
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
	o := view.Options{Address: view.DefaultAddress, Log: streams.ErrOut}
	cmd := &cobra.Command{
		Use:                   "view FILE [flags]",
		DisableFlagsInUseLine: true,
		Short:                 "Serve a profile to the browser",
		Long: `Serve a profile as the web pages of go tool pprof and as a flame graph, until Ctrl-C. FILE is any file
that kubectl pprof convert reads; - is stdin.

Only this machine can connect, unless --http names another address. The printed address contains a token,
without which nothing is shown. --source shows the source files on this machine that the profile names.`,
		Example: viewExamples,
		Args:    arguments(1, 1, "name one file to read"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.Validate(); err != nil {
				return usageError{fmt.Errorf("--http: %w", err)}
			}
			p, err := parts.readFile(args[0], streams)
			if err != nil {
				return err
			}
			if err := checkDrawable(p); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			_, early, done := handleSignals(cmd.Context(), signals)
			defer done()
			o.Ready = func(url string) {
				fmt.Fprintf(streams.ErrOut, "serving %s on %s until Ctrl-C\n", args[0], url)
			}
			if open {
				o.Open = func(url string) {
					if err := openOnDesktop(url); err != nil {
						fmt.Fprintln(streams.ErrOut, err)
					}
				}
			}
			err = view.Serve(early, p, o)
			if errors.Is(err, view.ErrSourcesNeedLoopback) {
				return usageError{fmt.Errorf("--source with --http %w", err)}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&o.Address, "http", o.Address, "`address` to serve on; port 0 chooses a free one")
	cmd.Flags().BoolVar(&o.Sources, "source", false, "show the source files on this machine that the profile names")
	cmd.Flags().BoolVar(&open, "open", false, "open the page in the browser")
	parts.addTo(cmd)
	setUsage(cmd)
	return cmd
}
