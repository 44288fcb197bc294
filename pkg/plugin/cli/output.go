package cli

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/terminal"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

// output is the destination of a result: stdout, a device or a file. A file is written under a
// temporary name and renamed when it is complete, so that there is never half a file under its own
// name.
type output struct {
	stream io.Writer // stdout or a device; nil for a file
	dir    string
	name   string // "" if it is chosen at commit
}

// openOutput checks that path can be written, before anything is created in the cluster. "-" is
// stdout, "" the working directory. A file in a directory gets its name at commit. Missing
// directories are created.
func openOutput(path string, stdout io.Writer) (*output, error) {
	o := &output{dir: "."}
	info, err := os.Stat(path)
	switch {
	case path == "-":
		o.stream = stdout
		return o, nil
	case path == "":
	case err == nil && info.IsDir(), errors.Is(err, fs.ErrNotExist) && os.IsPathSeparator(path[len(path)-1]):
		o.dir = path
	case err == nil && !info.Mode().IsRegular():
		device, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return nil, unwritable(path, err)
		}
		o.stream = device
		if terminal.Is(device) { // /dev/tty, /dev/stderr
			o.stream = terminal.NewWriter(device)
		}
		return o, nil
	case errors.Is(err, syscall.ENAMETOOLONG):
		return nil, unwritable(path, err)
	default:
		o.dir, o.name = filepath.Split(path)
		if real, err := filepath.EvalSymlinks(path); err == nil {
			o.dir, o.name = filepath.Split(real)
		}
	}
	o.dir = filepath.Clean(o.dir)
	if err := os.MkdirAll(o.dir, 0o777); err != nil {
		return nil, unwritable(path, err)
	}
	f, err := temporary(o.dir)
	if err != nil {
		return nil, unwritable(cmp.Or(path, o.dir), err)
	}
	f.Close()
	return o, os.Remove(f.Name()) // commit creates it again, so that nothing is left if the process is killed
}

// temporary creates a file in the directory of an output, with the permissions of any new file;
// those of os.CreateTemp are 0600. github.com/google/renameio does not support Windows.
func temporary(dir string) (*os.File, error) {
	name := fmt.Sprintf(".kubectl-pprof-%d.tmp", os.Getpid())
	return os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
}

func unwritable(path string, err error) error {
	var at *fs.PathError
	if errors.As(err, &at) && at.Path != path {
		err = at.Err
	}
	return fmt.Errorf("cannot write %s: %w", path, err)
}

// commit writes the result and returns its path, or "" for stdout and devices. The name is for an
// output without one. A result is not lost for its name: if it cannot be written there, it is written
// under another name or in the working directory, and both that path and an error are returned.
func (o *output) commit(name string, write func(io.Writer) error) (path string, err error) {
	if o.stream != nil {
		return "", writeBuffered(o.stream, write)
	}
	name = cmp.Or(o.name, name)
	requested := filepath.Join(o.dir, name)
	dir := o.dir
	f, misplaced := temporary(dir)
	if misplaced != nil {
		dir = "."
		if f, err = temporary(dir); err != nil {
			return "", unwritable(requested, misplaced)
		}
	}
	err = writeBuffered(f, write)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		path = filepath.Join(dir, name)
		if misplaced != nil { // the user did not ask to replace a file of the working directory
			if _, err := os.Lstat(path); err == nil {
				path = filepath.Join(dir, substituteName(name))
			}
		}
		if err = os.Rename(f.Name(), path); err != nil {
			misplaced = errors.Join(misplaced, err)
			path = filepath.Join(dir, substituteName(name))
			err = os.Rename(f.Name(), path)
		}
	}
	if err != nil {
		os.Remove(f.Name())
		return "", unwritable(requested, err)
	}
	if misplaced != nil {
		return path, fmt.Errorf("%w; it was written to %s instead", unwritable(requested, misplaced), path)
	}
	return path, nil
}

// substituteName returns a short unique name with the ending of a name that cannot be used.
func substituteName(name string) string {
	ending := cmp.Or(render.EndingOf(name), filepath.Ext(name))
	if len(ending) > 20 {
		ending = ""
	}
	return "kubectl-pprof-" + time.Now().Format("20060102-150405.000000000") + ending
}

func writeBuffered(w io.Writer, write func(io.Writer) error) error {
	b := bufio.NewWriterSize(w, 64<<10)
	if err := write(b); err != nil {
		return err
	}
	return b.Flush()
}
