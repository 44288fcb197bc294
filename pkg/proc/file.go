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

	once    sync.Once
	buildID string
}

// OpenMapping opens the file of a mapping: what is mapped, if the kernel lets us (map_files, which
// also finds deleted and replaced files), else what is at its path in the process's root now.
func (p *Process) OpenMapping(m Mapping) (*File, error) {
	if m.Inode == 0 {
		return nil, fmt.Errorf("mapping %x-%x of process %d has no file: %w", m.Start, m.End, p.PID, fs.ErrNotExist)
	}
	path := p.path(fmt.Sprintf("map_files/%x-%x", m.Start, m.End))
	fd, err := unix.Open(path, openFlags, 0)
	if err == nil {
		return newFile(fd, path)
	}
	if strings.HasSuffix(m.Path, " (deleted)") {
		return nil, fmt.Errorf("%s of process %d: %w", m.Path, p.PID, err)
	}
	return p.OpenInRoot(m.Path)
}

// OpenInRoot opens a regular file by its path in the process's root directory. Links are followed
// as the process would follow them and never lead outside.
func (p *Process) OpenInRoot(path string) (*File, error) {
	root, err := unix.Open(p.path("root"), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: p.path("root"), Err: err}
	}
	defer unix.Close(root)
	fd, err := unix.Openat2(root, strings.TrimPrefix(path, "/"), &unix.OpenHow{
		Flags:   openFlags,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return newFile(fd, path)
}

// openFlags: O_NONBLOCK, for opening a FIFO that the target put there must not wait for a writer.
const openFlags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC

func newFile(fd int, path string) (*File, error) {
	f := os.NewFile(uintptr(fd), path)
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &File{f: f, size: info.Size()}, nil
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

// Close closes the file; reading it afterwards is an error.
func (f *File) Close() error { return f.f.Close() }

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
