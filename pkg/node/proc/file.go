//go:build linux

package proc

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
)

// File is an open file of the target, usually an ELF object. It stays readable after the process
// has ended or the file was deleted. Opening and reading take a bounded time.
type File struct {
	// fd is not an os.File: os.File.Close waits for readers if the file supports polling, as files
	// on FUSE do.
	fd   int
	info fileInfo
	path string // as the process sees it
	root *Root  // of the process; nil if it could not be opened
	// local is set if the kernel alone implements the file system, so that every read returns.
	local bool

	mu       sync.Mutex // protects buf and timeLeft
	buf      []byte
	timeLeft time.Duration // for reading; 0 once reading has timed out

	once    sync.Once
	buildID string
}

type fileInfo struct {
	size       int64
	modified   time.Time
	dev, inode uint64
}

// OpenMapping opens the file of a mapping through /proc/PID/map_files, which also works for deleted
// and replaced files. If the kernel does not permit that, it opens the file that is now at the path
// in the process's root.
func (p *Process) OpenMapping(m Mapping) (*File, error) {
	if m.Inode == 0 {
		return nil, fmt.Errorf("mapping %x-%x of process %d has no file: %w", m.Start, m.End, p.PID, fs.ErrNotExist)
	}
	path, deleted := strings.CutSuffix(m.Path, " (deleted)")
	f, err := openFile(path, func() (int, error) {
		return unix.Open(p.path(fmt.Sprintf("map_files/%x-%x", m.Start, m.End)), openFlags, 0)
	})
	switch {
	case err == nil:
		f.root, _ = p.OpenRoot() // fails if the process has ended since; the file itself is usable
		return f, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, err
	case deleted:
		return nil, fmt.Errorf("%s of process %d: %w", m.Path, p.PID, err)
	}
	return p.OpenInRoot(path)
}

// OpenInRoot opens a regular file by its path in the process's root directory. See Root.Open.
func (p *Process) OpenInRoot(path string) (*File, error) {
	root, err := p.OpenRoot()
	if err != nil {
		return nil, err
	}
	f, err := root.Open(path)
	if err != nil {
		root.Close()
		return nil, err
	}
	f.root = root
	return f, nil
}

// OpenInRoot opens another regular file in the root directory of the process to which f belongs,
// also after that process has ended. OpenInRoot of the new file returns an error.
func (f *File) OpenInRoot(path string) (*File, error) {
	if f.root == nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return f.root.Open(path)
}

// openFlags includes O_NONBLOCK because opening a FIFO of the target must not wait for a writer.
const openFlags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC

// openFile opens a regular file. The error wraps os.ErrDeadlineExceeded if the file system does not
// answer in time.
func openFile(path string, open func() (fd int, err error)) (*File, error) {
	return withTimeout(openTimeout, "open "+path, func() (*File, error) {
		fd, err := open()
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		}
		f := &File{fd: fd, path: path, timeLeft: readTimeout}
		if f.info, err = statRegular(fd); err != nil {
			unix.Close(fd)
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		}
		f.local = onLocalFileSystem(fd)
		return f, nil
	}, func(f *File) { f.Close() })
}

// statRegular returns an error unless fd is a regular file.
func statRegular(fd int) (fileInfo, error) {
	var s unix.Stat_t
	if err := unix.Fstat(fd, &s); err != nil {
		return fileInfo{}, err
	}
	if s.Mode&unix.S_IFMT != unix.S_IFREG {
		return fileInfo{}, errors.New("not a regular file")
	}
	return fileInfo{s.Size, time.Unix(s.Mtim.Unix()), s.Dev, s.Ino}, nil
}

// onLocalFileSystem reports whether fd is on a file system for disks, memory or container images
// that the kernel alone implements. Others, above all FUSE and network file systems, depend on a
// program or host that may not answer.
func onLocalFileSystem(fd int) bool {
	var s unix.Statfs_t
	if unix.Fstatfs(fd, &s) != nil {
		return false
	}
	switch uint32(s.Type) {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC, unix.TMPFS_MAGIC,
		unix.RAMFS_MAGIC, unix.OVERLAYFS_SUPER_MAGIC, unix.SQUASHFS_MAGIC, unix.EROFS_SUPER_MAGIC_V1:
		return true
	}
	return false
}

// maxRead bounds the bytes read by one system call. They pass through a buffer of the File, because
// a call that timed out may still write to its buffer.
const maxRead = 64 << 10

// ReadAt implements io.ReaderAt. If the file is not on a local file system and all reads together
// have taken 10 s, this and all later calls return an error that wraps os.ErrDeadlineExceeded.
func (f *File) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 || off >= f.info.size {
		return 0, io.EOF
	}
	if f.local {
		return pread(f.fd, b, off)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	done := 0
	for done < len(b) {
		n, err := f.readSome(b[done:min(len(b), done+maxRead)], off+int64(done))
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// readSome reads up to maxRead bytes within the time that is left.
func (f *File) readSome(b []byte, off int64) (int, error) {
	if f.timeLeft <= 0 {
		return 0, fmt.Errorf("read %s: its file system is too slow: %w", f.path, os.ErrDeadlineExceeded)
	}
	if len(f.buf) < len(b) {
		f.buf = make([]byte, max(len(b), 4<<10))
	}
	buf, began := f.buf[:len(b)], time.Now()
	n, err := withTimeout(f.timeLeft, f.path, func() (int, error) { return pread(f.fd, buf, off) }, nil)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		f.buf, f.timeLeft = nil, 0
		return 0, err
	}
	f.timeLeft -= time.Since(began)
	return copy(b, buf[:n]), err
}

// pread reads until b is full or the file ends, as io.ReaderAt requires.
func pread(fd int, b []byte, off int64) (done int, err error) {
	for done < len(b) {
		n, err := unix.Pread(fd, b[done:], off+int64(done))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return done, err
		case n == 0:
			return done, io.EOF
		default:
			done += n
		}
	}
	return done, nil
}

// Size returns the file's size in bytes when it was opened.
func (f *File) Size() int64 { return f.info.size }

// Modified returns the file's modification time when it was opened.
func (f *File) Modified() time.Time { return f.info.modified }

// Path returns the file's path as the process sees it, without the suffix " (deleted)".
func (f *File) Path() string { return f.path }

// Key returns the device and inode, which identify the file among all open files.
func (f *File) Key() (dev, inode uint64) { return f.info.dev, f.info.inode }

// Close closes the file. Closing has a timeout, too, because it may wait for the file system.
func (f *File) Close() error {
	if f.root != nil {
		f.root.Close()
		f.root = nil
	}
	_, err := withTimeout(openTimeout, "close "+f.path, func() (int, error) { return 0, unix.Close(f.fd) }, nil)
	return err
}

// BuildID returns the ELF object's GNU build ID in hex or, if it has none, Go's build ID; empty if
// it has neither.
func (f *File) BuildID() string {
	f.once.Do(func() {
		if o, err := object.Open(f); err == nil {
			f.buildID = clean(o.BuildID())
		}
	})
	return f.buildID
}
