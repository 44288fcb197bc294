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

// File is an opened file of the target, most often an ELF object. It stays readable when the process
// has ended or the file was deleted. Opening and reading it take a bounded time.
type File struct {
	// fd is no os.File: one of FUSE can be polled, and closing an os.File that can be waits for its readers.
	fd   int
	info fileInfo
	path string // as the process sees it
	root *Root  // of the process; nil if there is none
	// local says that the file system is answered by the kernel alone: a read ends.
	local bool

	mu       sync.Mutex // of what reading needs
	buf      []byte
	timeLeft time.Duration // left for reading; none: the file is given up

	once    sync.Once
	buildID string
}

type fileInfo struct {
	size       int64
	modified   time.Time
	dev, inode uint64
}

// OpenMapping opens the file of a mapping: what is mapped, if the kernel lets us (map_files, which
// also finds deleted and replaced files), else what is at its path in the process's root now.
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
		f.root, _ = p.OpenRoot() // no root: the process has ended meanwhile; its file is open
		return f, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, err
	case deleted:
		return nil, fmt.Errorf("%s of process %d: %w", m.Path, p.PID, err)
	}
	return p.OpenInRoot(path)
}

// OpenInRoot opens a regular file by its path in the process's root directory, as Root.Open.
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

// OpenInRoot opens another regular file in the root directory of the process that this one was opened
// of, also when that process has ended. From that one no further file can be opened.
func (f *File) OpenInRoot(path string) (*File, error) {
	if f.root == nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return f.root.Open(path)
}

// openFlags: O_NONBLOCK, for opening a FIFO that the target put there must not wait for a writer.
const openFlags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC

// openFile opens a regular file; an error wraps os.ErrDeadlineExceeded when its file system does not answer.
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

// onLocalFileSystem knows the file systems of disks, of memory and of container images. Others, FUSE and those of
// the network above all, have someone answer who may not.
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

// maxRead bounds the bytes that one system call reads: they go through a buffer of the file's own,
// for a call that was given up may still write into it.
const maxRead = 64 << 10

// ReadAt reads at an offset, as io.ReaderAt. When reading a file that is not on a local file system has taken
// longer than 10 s altogether it is given up: this and all later errors wrap os.ErrDeadlineExceeded.
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

func (f *File) readSome(b []byte, off int64) (int, error) {
	if f.timeLeft <= 0 {
		return 0, fmt.Errorf("read %s: given up, its file system is too slow: %w", f.path, os.ErrDeadlineExceeded)
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

// pread reads as much as there is, as io.ReaderAt must.
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

// Size is the file's size in bytes when it was opened.
func (f *File) Size() int64 { return f.info.size }

// Modified is when the file was last written before it was opened.
func (f *File) Modified() time.Time { return f.info.modified }

// Path is the file's path as the process sees it, without the mark of a deleted file.
func (f *File) Path() string { return f.path }

// Key identifies the file among all that are open: the same for two openings of one file.
func (f *File) Key() (dev, inode uint64) { return f.info.dev, f.info.inode }

// Close closes the file, which must not be used after it. That too may have to wait for a file system.
func (f *File) Close() error {
	if f.root != nil {
		f.root.Close()
		f.root = nil
	}
	_, err := withTimeout(openTimeout, "close "+f.path, func() (int, error) { return 0, unix.Close(f.fd) }, nil)
	return err
}

// BuildID is the ELF object's GNU build ID in hex, else Go's build ID; empty if it has neither.
func (f *File) BuildID() string {
	f.once.Do(func() {
		if o, err := object.Open(f); err == nil {
			f.buildID = clean(o.BuildID())
		}
	})
	return f.buildID
}
