//go:build linux

package proc

import (
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Root is the root directory of a process. Files can be opened in it after the process has ended,
// as long as its mounts exist, that is, while any process of its container is alive.
type Root struct{ dir *os.File }

// OpenRoot opens the process's root directory.
func (p *Process) OpenRoot() (*Root, error) {
	return ofLivingThread(p, func(tid int) (*Root, error) {
		path := threadPath(p.PID, tid, "root")
		return withTimeout(openTimeout, "open "+path, func() (*Root, error) {
			fd, err := unix.Open(path, findFlags|unix.O_DIRECTORY, 0)
			if err != nil {
				return nil, &fs.PathError{Op: "open", Path: path, Err: err}
			}
			return &Root{os.NewFile(uintptr(fd), path)}, nil
		}, func(r *Root) { r.Close() })
	})
}

// Open opens a regular file by its path in the root. Symbolic links are resolved within the root,
// as the process would resolve them. Anything else than a regular file is an error and is left
// unopened.
func (r *Root) Open(path string) (*File, error) {
	return openRegular(path, func() (found int, err error) {
		dir, err := r.dir.SyscallConn()
		if err != nil {
			return 0, err
		}
		// Control keeps the descriptor open although Close may be called before a slow file system answers.
		closed := dir.Control(func(fd uintptr) {
			found, err = unix.Openat2(int(fd), strings.TrimPrefix(path, "/"), &unix.OpenHow{
				Flags:   findFlags,
				Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
			})
		})
		if closed != nil {
			return 0, closed
		}
		return found, err
	})
}

// Close closes the directory. Files opened in it stay open.
func (r *Root) Close() error { return r.dir.Close() }
