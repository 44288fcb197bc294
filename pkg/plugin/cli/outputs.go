package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

// outputFile is one output of a command and its format.
type outputFile struct {
	path   string // as given; "" for the working directory
	format render.Format
}

// chooseFiles returns the outputs with their formats: the one asked for, else by the path's ending, else otherwise.
// Several paths differ by their endings; one format for all of them would be the same file twice.
func chooseFiles(paths []string, format string, otherwise render.Format) ([]outputFile, error) {
	if len(paths) == 0 {
		paths = []string{""}
	}
	if format != "" && !slices.Contains(formats(), format) {
		return nil, fmt.Errorf("unknown format %q; choose one of: %s", format, joinedFormats())
	}
	if format != "" && len(paths) > 1 {
		return nil, fmt.Errorf("--format %s is for one --output; of several each has the format of its ending", format)
	}
	var files []outputFile
	for _, path := range paths {
		f := outputFile{path: path, format: render.Format(format)}
		if format == "" {
			var err error
			if f.format, err = formatOf(path, otherwise); err != nil {
				return nil, err
			}
		}
		for _, other := range files {
			if filepath.Clean(other.path) == filepath.Clean(path) {
				return nil, fmt.Errorf("--output %s is given twice", path)
			}
		}
		files = append(files, f)
	}
	return files, nil
}

// formatOf returns a path's format by its ending; otherwise is the format of stdout, of a directory, and of a name
// without an ending.
func formatOf(path string, otherwise render.Format) (render.Format, error) {
	if path == "-" || filepath.Ext(path) == "" {
		return otherwise, nil
	}
	if format, ok := render.FormatOf(path); ok {
		return format, nil
	}
	if isDirectory(path) {
		return otherwise, nil
	}
	return "", fmt.Errorf("--output %s: no format has this ending; choose one by --format: %s", path, joinedFormats())
}

func formats() []string {
	var names []string
	for _, f := range render.Formats() {
		names = append(names, string(f))
	}
	return names
}

func joinedFormats() string { return strings.Join(formats(), ", ") }

// binary lists the formats that garble a terminal.
var binary = []render.Format{render.Pprof, render.PNG}

func validateFiles(files []outputFile, stdout io.Writer) error {
	for _, f := range files {
		if f.path == "-" && slices.Contains(binary, f.format) && isTerminal(stdout) {
			return fmt.Errorf("--format %s is binary and stdout is a terminal: give a file by --output", f.format)
		}
	}
	return nil
}

// filesByType returns the files of each profile type. If there are several types, each file's name has the type before
// its ending. In a directory the name is chosen later, and has the type in any case.
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

// withType puts the type before the ending: web.pb.gz becomes web-heap.pb.gz.
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

// isStream reports whether the path is stdout or a device, which can take one profile only.
func isStream(path string) bool {
	info, err := os.Stat(path)
	return path == "-" || path != "" && err == nil && !info.Mode().IsRegular() && !info.IsDir()
}

// openFile is an output that can be written.
type openFile struct {
	outputFile
	out *output
}

func openFiles(files []outputFile, stdout io.Writer) ([]openFile, error) {
	var open []openFile
	for _, f := range files {
		out, err := openOutput(f.path, stdout)
		if err != nil {
			return nil, err
		}
		open = append(open, openFile{f, out})
	}
	return open, nil
}

// writeFiles writes all files by calling write for each, and returns the paths of those that are not streams. The name,
// without an ending, is for files without one. An error does not keep the other files from being written.
func writeFiles(files []openFile, name string, write func(io.Writer, outputFile) error) (paths []string, err error) {
	for _, f := range files {
		path, failed := f.out.commit(name+f.format.Ending(), func(w io.Writer) error { return write(w, f.outputFile) })
		if err = errors.Join(err, failed); path != "" {
			paths = append(paths, path)
		}
	}
	return paths, err
}
