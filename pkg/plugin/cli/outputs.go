package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/terminal"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

// outputFile is one output of a command and its format.
type outputFile struct {
	path   string // as given; "" for the working directory
	format render.Format
}

// outputOptions are the outputs that a command can write.
type outputOptions struct {
	formats  []render.Format
	fallback render.Format // for stdout, directories and names without an ending
	flag     string        // "--output " before a path in errors; "" if outputs are arguments
}

// addFormat adds the flag --format to a command.
func (o outputOptions) addFormat(cmd *cobra.Command, format *string) {
	usage := fmt.Sprintf("`format` of the output: %s; default: chosen by the output's ending, else %s", joined(o.formats), o.fallback)
	cmd.Flags().StringVarP(format, "format", "f", "", usage)
	if err := cmd.RegisterFlagCompletionFunc("format", fixed(names(o.formats)...)); err != nil {
		panic(err) // the flag was just added
	}
}

// choose returns the outputs with their formats: the one asked for, else by the path's ending. Several
// paths are for several formats, so one format for all of them is an error.
func (o outputOptions) choose(paths []string, format string) ([]outputFile, error) {
	if len(paths) == 0 {
		paths = []string{""}
	}
	if format != "" && !slices.Contains(render.Formats(), render.Format(format)) {
		return nil, fmt.Errorf("unknown format %q; choose one of: %s", format, joined(o.formats))
	}
	if format != "" && len(paths) > 1 {
		return nil, fmt.Errorf("--format %s is for a single output: with several, each has the format of its ending", format)
	}
	var files []outputFile
	for _, path := range paths {
		f := outputFile{path: path, format: render.Format(format)}
		if format == "" {
			var err error
			if f.format, err = o.formatOf(path); err != nil {
				return nil, err
			}
		}
		for _, other := range files {
			if filepath.Clean(other.path) == filepath.Clean(path) {
				return nil, fmt.Errorf("%s%s is given twice", o.flag, path)
			}
		}
		files = append(files, f)
	}
	return files, nil
}

// formatOf returns the format for a path's ending.
func (o outputOptions) formatOf(path string) (render.Format, error) {
	if path == "-" || filepath.Ext(path) == "" {
		return o.fallback, nil
	}
	if format, ok := render.FormatOf(path); ok {
		return format, nil
	}
	if isDirectory(path) {
		return o.fallback, nil
	}
	return "", fmt.Errorf("%s%s: no format has this ending; choose one with --format: %s", o.flag, path, joined(o.formats))
}

func names(formats []render.Format) []string {
	var all []string
	for _, f := range formats {
		all = append(all, string(f))
	}
	return all
}

func joined(formats []render.Format) string { return strings.Join(names(formats), ", ") }

// binary lists the formats that must not be printed on a terminal.
var binary = []render.Format{render.Pprof, render.PNG}

func validateFiles(files []outputFile, stdout io.Writer) error {
	for _, f := range files {
		if f.path == "-" && slices.Contains(binary, f.format) && terminal.Is(stdout) {
			return fmt.Errorf("--format %s is binary and stdout is a terminal: name a file to write", f.format)
		}
	}
	return nil
}

// filesByType returns the files for each profile type. With several types, the type is inserted
// before the ending of each file. Files in a directory get their names later, which contain the
// type in any case.
func filesByType(files []outputFile, types []string) [][]outputFile {
	if len(types) == 1 {
		return [][]outputFile{files}
	}
	var all [][]outputFile
	for _, typ := range types {
		var own []outputFile
		for _, f := range files {
			own = append(own, outputFile{path: withType(f.path, typ), format: f.format})
		}
		all = append(all, own)
	}
	return all
}

// withType inserts the type before the ending: web.pb.gz becomes web-heap.pb.gz.
func withType(path, profileType string) string {
	if path == "" || isDirectory(path) {
		return path
	}
	ending := render.EndingOf(path)
	if ending == "" {
		ending = filepath.Ext(path)
	}
	return strings.TrimSuffix(path, ending) + "-" + profileType + ending
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir() || err != nil && os.IsPathSeparator(path[len(path)-1])
}

// isStream reports whether the path is stdout or a device. Those take one profile only.
func isStream(path string) bool {
	info, err := os.Stat(path)
	return path == "-" || path != "" && err == nil && !info.Mode().IsRegular() && !info.IsDir()
}

// openFile is an output that was found to be writable.
type openFile struct {
	outputFile
	out *output
}

func openFiles(files []outputFile, stdout io.Writer) ([]openFile, error) {
	var open []openFile
	for _, f := range files {
		stream := stdout
		if f.format == render.Tree { // it has colours, and escapes names itself
			stream = terminal.Unescaped(stdout)
		}
		out, err := openOutput(f.path, stream)
		if err != nil {
			return nil, err
		}
		open = append(open, openFile{f, out})
	}
	return open, nil
}

// writeFiles calls write for each file and returns the paths of the files, without streams. Files
// without a name get the given one, with the ending of their format. After an error the other files
// are still written.
func writeFiles(files []openFile, name string, write func(io.Writer, outputFile) error) (paths []string, err error) {
	for _, f := range files {
		path, failed := f.out.commit(name+f.format.Ending(), func(w io.Writer) error { return write(w, f.outputFile) })
		if err = errors.Join(err, failed); path != "" {
			paths = append(paths, path)
		}
	}
	return paths, err
}
