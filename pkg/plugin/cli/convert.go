package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

const convertExamples = `  # Draw a flame graph of what perf recorded
  perf script | kubectl pprof convert - flames.svg

  # Write several formats at once, each chosen by its ending
  kubectl pprof convert web.pb.gz web.svg web.folded

  # Show one handler only, without the Go runtime
  kubectl pprof convert web.pb.gz checkout.svg --focus 'main\.checkout' --hide '^runtime\.'

  # Show two seconds of the profile
  kubectl pprof convert web.pb.gz slow.svg --from 12s --to 14s

  # Print folded stacks for another tool
  kubectl pprof convert web.svg - -f folded | grep checkout`

func newConvertCommand(streams genericiooptions.IOStreams) *cobra.Command {
	var parts filterFlags
	var format string
	d := drawing{stdout: streams.Out}
	outputs := outputOptions{formats: render.Formats(), fallback: render.SVG}
	cmd := &cobra.Command{
		Use:                   "convert IN OUT... [flags]",
		DisableFlagsInUseLine: true,
		Short:                 "Write a profile from a file in other formats",
		Long: `Write a profile from a file, or a part of it, in other formats. IN is an SVG or HTML file of
kubectl pprof, a pprof file, the output of perf script or folded stacks, with or without gzip; - is stdin.
The format of IN is recognized by its content, that of each OUT by its ending.`,
		Example: convertExamples,
		Args:    arguments(2, -1, "name a file to read and one or more to write"),
		RunE: func(_ *cobra.Command, args []string) error {
			files, err := outputs.choose(args[1:], format)
			if err == nil {
				err = validateFiles(files, streams.Out)
			}
			if err == nil {
				err = d.validate(files)
			}
			if err != nil {
				return usageError{err}
			}
			if err := requireDirectories(files); err != nil {
				return err
			}
			p, err := parts.readFile(args[0], streams)
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
	outputs.addFormat(cmd, &format)
	parts.addTo(cmd)
	d.addFlags(cmd)
	setUsage(cmd)
	return cmd
}

// requireDirectories returns an error if the directory of an output does not exist. Profiles of
// pods create it, because they cannot be taken again; a conversion can be repeated, and a wrong
// path is more likely.
func requireDirectories(files []outputFile) error {
	for _, f := range files {
		if f.path == "-" {
			continue
		}
		dir, _ := filepath.Split(f.path)
		if _, err := os.Stat(cmp.Or(dir, ".")); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot write %s: there is no directory %s", f.path, filepath.Clean(dir))
		}
	}
	return nil
}

// baseName returns a file's name without its endings, for an output in a directory.
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
