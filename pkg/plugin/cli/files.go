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

// file is one output of a command and its format.
type file struct {
	path   string // as given; "" for the working directory
	format render.Format
	out    *output
}

// chooseFiles gives each path its format: the one asked for, else by the path's ending, else otherwise.
// Several paths differ by their endings; one format for all of them would be the same file twice.
func chooseFiles(paths []string, format string, otherwise render.Format) ([]*file, error) {
	if len(paths) == 0 {
		paths = []string{""}
	}
	if format != "" && !slices.Contains(formats(), format) {
		return nil, fmt.Errorf("unknown format %q; choose one of: %s", format, strings.Join(formats(), ", "))
	}
	if format != "" && len(paths) > 1 {
		return nil, fmt.Errorf("--format %s is for one --output; of several each has the format of its ending", format)
	}
	var files []*file
	for _, path := range paths {
		f := &file{path: path, format: render.Format(format)}
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

// formatOf tells a path's format by its ending; otherwise is that of stdout, of a directory, and of
// a name that has none.
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
	return "", fmt.Errorf("--output %s: no format has this ending; choose one by --format: %s", path, strings.Join(formats(), ", "))
}

// binary lists the formats that garble a terminal.
var binary = []render.Format{render.Pprof, render.PNG}

func validateFiles(files []*file, stdout io.Writer) error {
	for _, f := range files {
		if f.path == "-" && slices.Contains(binary, f.format) && isTerminal(stdout) {
			return fmt.Errorf("--format %s is binary and stdout is a terminal: give a file by --output", f.format)
		}
	}
	return nil
}

func openFiles(files []*file, stdout io.Writer) error {
	for _, f := range files {
		var err error
		if f.out, err = openOutput(f.path, stdout); err != nil {
			return err
		}
	}
	return nil
}

// writeFiles writes the profile in every form and gives the paths of those that are files, in their
// order. One that fails does not keep the others from being written. The name, without an ending,
// is for those that have none.
func writeFiles(files []*file, name string, write func(io.Writer, *file) error) (paths []string, err error) {
	for _, f := range files {
		path, failed := f.out.commit(name+f.format.Ending(), func(w io.Writer) error { return write(w, f) })
		if err = errors.Join(err, failed); path != "" {
			paths = append(paths, path)
		}
	}
	return paths, err
}

// typeFiles gives each type of profile its files: of several types each has its name in those of its files, before the
// ending. A directory's files have it anyway.
func (o *Options) typeFiles() [][]*file {
	if len(o.requests) == 1 {
		return [][]*file{o.files}
	}
	var all [][]*file
	for _, r := range o.requests {
		var files []*file
		for _, f := range o.files {
			files = append(files, &file{path: withType(f, r.Type), format: f.format})
		}
		all = append(all, files)
	}
	return all
}

// withType puts the type before the ending: web.pb.gz becomes web-heap.pb.gz.
func withType(f *file, profileType string) string {
	if f.path == "" || isDirectory(f.path) {
		return f.path
	}
	ending := render.EndingOf(f.path)
	if ending == "" {
		ending = filepath.Ext(f.path)
	}
	return strings.TrimSuffix(f.path, ending) + "-" + profileType + ending
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir() || err != nil && os.IsPathSeparator(path[len(path)-1])
}

// isStream tells stdout and devices, which can take one profile only.
func isStream(path string) bool {
	info, err := os.Stat(path)
	return path == "-" || path != "" && err == nil && !info.Mode().IsRegular() && !info.IsDir()
}
