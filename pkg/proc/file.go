package proc

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// File is an opened file of the target, most often an ELF object. It stays readable when the process
// has ended or the file was deleted.
type File struct {
	f    *os.File
	size int64
	path string // as the process sees it
	root int    // of the process, an O_PATH descriptor; -1 if there is none

	once    sync.Once
	buildID string
}

// OpenMapping opens the file of a mapping: what is mapped, if the kernel lets us (map_files, which
// also finds deleted and replaced files), else what is at its path in the process's root now.
func (p *Process) OpenMapping(m Mapping) (*File, error) {
	if m.Inode == 0 {
		return nil, fmt.Errorf("mapping %x-%x of process %d has no file: %w", m.Start, m.End, p.PID, fs.ErrNotExist)
	}
	path, deleted := strings.CutSuffix(m.Path, " (deleted)")
	fd, err := unix.Open(p.path(fmt.Sprintf("map_files/%x-%x", m.Start, m.End)), openFlags, 0)
	if err == nil {
		root, err := p.openRoot()
		if err != nil {
			root = -1 // the process has ended meanwhile; its file is open
		}
		return newFile(fd, path, root)
	}
	if deleted {
		return nil, fmt.Errorf("%s of process %d: %w", m.Path, p.PID, err)
	}
	return p.OpenInRoot(path)
}

// OpenInRoot opens a regular file by its path in the process's root directory. Links are followed
// as the process would follow them and never lead outside.
func (p *Process) OpenInRoot(path string) (*File, error) {
	root, err := p.openRoot()
	if err != nil {
		return nil, err
	}
	fd, err := openBelow(root, path)
	if err != nil {
		unix.Close(root)
		return nil, err
	}
	return newFile(fd, path, root)
}

// OpenInRoot opens another regular file in the root directory of the process that this one was opened
// of, also when that process has ended. From that one no further file can be opened.
func (f *File) OpenInRoot(path string) (*File, error) {
	if f.root < 0 {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	fd, err := openBelow(f.root, path)
	if err != nil {
		return nil, err
	}
	return newFile(fd, path, -1)
}

func (p *Process) openRoot() (int, error) {
	root, err := unix.Open(p.path("root"), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: p.path("root"), Err: err}
	}
	return root, nil
}

func openBelow(root int, path string) (int, error) {
	fd, err := unix.Openat2(root, strings.TrimPrefix(path, "/"), &unix.OpenHow{
		Flags:   openFlags,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

// openFlags: O_NONBLOCK, for opening a FIFO that the target put there must not wait for a writer.
const openFlags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC

// newFile takes over both descriptors.
func newFile(fd int, path string, root int) (*File, error) {
	f := &File{f: os.NewFile(uintptr(fd), path), path: path, root: root}
	info, err := f.f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	f.size = info.Size()
	return f, nil
}

// ReadAt reads at an offset, as io.ReaderAt.
func (f *File) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 || off >= f.size {
		return 0, io.EOF
	}
	return f.f.ReadAt(b, off)
}

// Size is the file's size in bytes when it was opened.
func (f *File) Size() int64 { return f.size }

// Path is the file's path as the process sees it, without the mark of a deleted file.
func (f *File) Path() string { return f.path }

// Close closes the file; reading it afterwards is an error.
func (f *File) Close() error {
	if f.root >= 0 {
		unix.Close(f.root)
		f.root = -1
	}
	return f.f.Close()
}

// Key identifies the file among all that are open: the same for two openings of one file.
func (f *File) Key() (dev, inode uint64, err error) {
	info, err := f.f.Stat()
	if err != nil {
		return 0, 0, err
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, errors.New("no device and inode known")
	}
	return s.Dev, s.Ino, nil
}

// BuildID is the ELF object's GNU build ID in hex, else Go's build ID; empty if it has neither.
func (f *File) BuildID() string {
	f.once.Do(func() { f.buildID = buildID(f) })
	return f.buildID
}
