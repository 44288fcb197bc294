package cli

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

const convertExamples = `  # Draw what another tool recorded
  perf script | kubectl pprof convert - flames.svg

  # Several formats at once, each told by its ending
  kubectl pprof convert web.pb.gz web.svg web.folded

  # One handler only, without what the runtime does
  kubectl pprof convert web.pb.gz checkout.svg --focus 'main\.checkout' --hide '^runtime\.'

  # The two seconds in which it was slow
  kubectl pprof convert web.pb.gz slow.svg --from 12s --to 14s`

func newConvertCommand(streams genericiooptions.IOStreams) *cobra.Command {
	var l loading
	d := drawing{stdout: streams.Out}
	var format string
	cmd := &cobra.Command{
		Use:                   "convert IN OUT... [flags]",
		DisableFlagsInUseLine: true,
		Short:                 "Write a profile from a file in another format",
		Long: `Write a profile from a file in other formats, or a part of it. IN is an SVG or HTML file of
kubectl pprof, any pprof file, the output of perf script or folded stacks, gzipped or not, and is told
by its content; - is stdin.`,
		Example: convertExamples,
		Args:    arguments(2, -1, "name a file to read and one or more to write"),
		RunE: func(_ *cobra.Command, args []string) error {
			files, err := chooseFiles(args[1:], format, render.SVG)
			if err == nil {
				err = validateFiles(files, streams.Out)
			}
			if err == nil {
				err = d.validate(files)
			}
			if err != nil {
				return usageError{err}
			}
			p, err := l.load(args[0], streams.In)
			if err != nil {
				return err
			}
			open, err := openFiles(files, streams.Out)
			if err != nil {
				return err
			}
			paths, err := writeFiles(open, baseName(args[0]), d.write(p))
			for _, path := range paths {
				fmt.Fprintf(streams.ErrOut, "wrote %s\n", path)
			}
			return err
		},
	}
	cmd.Flags().StringVarP(&format, "format", "f", "", "`format` of the output: "+joinedFormats()+"; default: by its ending, else svg")
	l.addFlags(cmd)
	d.addFlags(cmd)
	setPlainUsage(cmd)
	return cmd
}

// baseName is a file's name without its ending, for the output in a directory.
func baseName(path string) string {
	name := filepath.Base(path)
	if name == "-" {
		return "profile"
	}
	for ext := filepath.Ext(name); ext != "" && ext != name; ext = filepath.Ext(name) {
		name = strings.TrimSuffix(name, ext)
	}
	return name
}
