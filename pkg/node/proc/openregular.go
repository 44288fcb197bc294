//go:build linux

package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Opening a file can have effects: it may reboot the node (a watchdog device), load a driver, or
// wake a program that waits to write into a FIFO. The target decides what is at a path, so a file
// is first found without opening it (O_PATH), and opened only if it is a regular file.
const (
	findFlags = unix.O_PATH | unix.O_CLOEXEC
	openFlags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
)

var errNotRegular = errors.New("not a regular file")

// openRegular opens the regular file that find returns as a descriptor opened with findFlags. It is
// the only function that opens files of the target; a test in test/layout verifies that. The error
// wraps os.ErrDeadlineExceeded if the file system does not answer in time.
func openRegular(path string, find func() (fd int, err error)) (*File, error) {
	return withTimeout(openTimeout, "open "+path, func() (*File, error) {
		f, err := reopen(find)
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		}
		f.path, f.timeLeft = path, readTimeout
		return f, nil
	}, func(f *File) { f.Close() })
}

// reopen opens the file that find returns for reading. The new descriptor is for the same file,
// whatever is at its path by now: /proc/self/fd leads to files, not to paths.
func reopen(find func() (fd int, err error)) (*File, error) {
	if err := checkProcfs(); err != nil {
		return nil, err
	}
	found, err := find()
	if err != nil {
		return nil, err
	}
	defer unix.Close(found)
	before, err := statRegular(found)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", found), openFlags, 0)
	if err != nil {
		return nil, err
	}
	info, err := statRegular(fd)
	if err == nil && (info.dev != before.dev || info.inode != before.inode) {
		err = errors.New("another file was opened than the one found")
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return &File{fd: fd, info: info, local: onLocalFileSystem(fd)}, nil
}

// checkProcfs returns an error unless /proc is the kernel's procfs, through which files are opened.
var checkProcfs = sync.OnceValue(func() error {
	var s unix.Statfs_t
	if err := unix.Statfs("/proc", &s); err != nil {
		return fmt.Errorf("/proc: %w", err)
	}
	if s.Type != unix.PROC_SUPER_MAGIC {
		return fmt.Errorf("/proc has the file system type %#x instead of procfs", s.Type)
	}
	return nil
})

type fileInfo struct {
	size       int64
	modified   time.Time
	dev, inode uint64
}

// statRegular returns an error unless fd is a regular file.
func statRegular(fd int) (fileInfo, error) {
	var s unix.Stat_t
	if err := unix.Fstat(fd, &s); err != nil {
		return fileInfo{}, err
	}
	if s.Mode&unix.S_IFMT != unix.S_IFREG {
		return fileInfo{}, errNotRegular
	}
	return fileInfo{s.Size, time.Unix(s.Mtim.Unix()), s.Dev, s.Ino}, nil
}
