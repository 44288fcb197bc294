//go:build linux

package proc

import (
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"
)

// Root is the root directory of a process. Files can be opened in it after the process has ended,
// as long as its mounts exist, that is, while any process of its container is alive.
type Root struct{ fd int }

// OpenRoot opens the process's root directory.
func (p *Process) OpenRoot() (*Root, error) {
	fd, err := unix.Open(p.path("root"), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: p.path("root"), Err: err}
	}
	return &Root{fd}, nil
}

// Open opens a regular file by its path in the root. Symbolic links are resolved within the root,
// as the process would resolve them.
func (r *Root) Open(path string) (*File, error) {
	fd, err := unix.FcntlInt(uintptr(r.fd), unix.F_DUPFD_CLOEXEC, 0) // a copy, because the call may return after r was closed
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return openFile(path, func() (int, error) {
		defer unix.Close(fd)
		return unix.Openat2(fd, strings.TrimPrefix(path, "/"), &unix.OpenHow{
			Flags:   openFlags,
			Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
		})
	})
}

// Close closes the directory. Files opened in it stay open.
func (r *Root) Close() error { return unix.Close(r.fd) }
