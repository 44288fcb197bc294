package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// output is the file that a result goes to. It is opened before anything is created in the
// cluster, written under another name and renamed when complete: under its own name there is
// never half a file.
type output struct {
	stdout io.Writer
	dir    string
	name   string // empty: chosen at commit
	file   *os.File
}

// openOutput checks that path can be written: "-" is stdout, a directory takes a file with a name
// chosen later, and so does the working directory for an empty path. Missing directories are made.
func openOutput(path string, stdout io.Writer) (*output, error) {
	if path == "-" {
		return &output{stdout: stdout}, nil
	}
	o := &output{dir: "."}
	if path != "" {
		info, err := os.Stat(path)
		switch {
		case err == nil && info.IsDir(), errors.Is(err, fs.ErrNotExist) && strings.HasSuffix(path, string(os.PathSeparator)):
			o.dir = path
		case err == nil && !info.Mode().IsRegular():
			// A device or a pipe is written to, not replaced.
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return nil, fmt.Errorf("cannot write the output: %w", err)
			}
			o.file, o.name, o.dir = f, path, ""
			return o, nil
		default:
			if real, err := filepath.EvalSymlinks(path); err == nil {
				path = real
			}
			o.dir, o.name = filepath.Split(path)
		}
	}
	o.dir = filepath.Clean(o.dir)
	if err := os.MkdirAll(o.dir, 0o777); err != nil {
		return nil, fmt.Errorf("cannot write the output: %w", err)
	}
	// os.CreateTemp would make it 0600; a result has the permissions of any new file.
	f, err := os.OpenFile(filepath.Join(o.dir, fmt.Sprintf(".kubectl-pprof-%d.tmp", os.Getpid())), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, fmt.Errorf("cannot write the output: %w", err)
	}
	o.file = f
	return o, nil
}

// commit writes the result and gives the path under which it can be found, "" for stdout. The
// name is used if the user gave none.
func (o *output) commit(name string, write func(io.Writer) error) (path string, err error) {
	if o.stdout != nil {
		return "", writeBuffered(o.stdout, write)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("writing the output: %w", err)
		}
	}()
	if err := writeBuffered(o.file, write); err != nil {
		return "", err
	}
	if o.dir == "" {
		f := o.file
		o.file = nil
		return o.name, f.Close()
	}
	if o.name != "" {
		name = o.name
	}
	if err := o.file.Sync(); err != nil {
		return "", err
	}
	path = filepath.Join(o.dir, name)
	if err := os.Rename(o.file.Name(), path); err != nil {
		return "", err
	}
	f := o.file
	o.file = nil
	return path, f.Close()
}

func writeBuffered(w io.Writer, write func(io.Writer) error) error {
	b := bufio.NewWriterSize(w, 64<<10)
	if err := write(b); err != nil {
		return err
	}
	return b.Flush()
}

// discard removes what was not committed.
func (o *output) discard() {
	if o.file == nil {
		return
	}
	o.file.Close()
	if o.dir != "" {
		os.Remove(o.file.Name())
	}
}
