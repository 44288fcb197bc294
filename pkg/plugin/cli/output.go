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
)

// output is where a result goes: a file, written under another name and renamed when complete, so
// that under its own name there is never half a file; or stdout, or a device.
type output struct {
	stream io.Writer // stdout or a device; nil for a file
	dir    string
	name   string // empty: chosen at commit
}

// openOutput checks that path can be written, before anything is created in the cluster: "-" is
// stdout, a directory takes a file with a name chosen later, and so does the working directory for
// an empty path. Missing directories are made.
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
		return o, nil
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
	f, err := o.temporary()
	if err != nil {
		return nil, unwritable(cmp.Or(path, o.dir), err)
	}
	f.Close()
	return o, os.Remove(f.Name()) // made again at commit: nothing is left if we are killed
}

// temporary creates the file beside the output. os.CreateTemp would make it 0600; a result has the
// permissions of any new file.
func (o *output) temporary() (*os.File, error) {
	name := fmt.Sprintf(".kubectl-pprof-%d.tmp", os.Getpid())
	return os.OpenFile(filepath.Join(o.dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
}

func unwritable(path string, err error) error {
	var at *fs.PathError
	if errors.As(err, &at) && at.Path != path {
		err = at.Err
	}
	return fmt.Errorf("cannot write %s: %w", path, err)
}

// commit writes the result and gives the path under which it can be found, "" for stdout or a
// device. The name is used if the user gave none.
func (o *output) commit(name string, write func(io.Writer) error) (path string, err error) {
	if o.stream != nil {
		return "", writeBuffered(o.stream, write)
	}
	path = filepath.Join(o.dir, cmp.Or(o.name, name))
	f, err := o.temporary()
	if err != nil {
		return "", unwritable(path, err)
	}
	err = writeBuffered(f, write)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return "", unwritable(path, err)
	}
	return path, nil
}

func writeBuffered(w io.Writer, write func(io.Writer) error) error {
	b := bufio.NewWriterSize(w, 64<<10)
	if err := write(b); err != nil {
		return err
	}
	return b.Flush()
}
