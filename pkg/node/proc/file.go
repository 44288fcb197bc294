//go:build linux

package proc

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/clean"
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

	mu       sync.Mutex    // protects timeLeft
	timeLeft time.Duration // for reading; 0 once reading has timed out

	once    sync.Once
	buildID string // of the content that the file had when it was opened
}

// OpenMapping opens the file of a mapping through /proc/PID/map_files, which also works for deleted
// and replaced files. If the kernel does not permit that, or the process has executed another program
// since, it opens the file that is now at the path in the process's root.
func (p *Process) OpenMapping(m Mapping) (*File, error) {
	if m.Inode == 0 {
		return nil, fmt.Errorf("mapping %x-%x of process %d has no file: %w", m.Start, m.End, p.PID, fs.ErrNotExist)
	}
	path, deleted := strings.CutSuffix(m.Path, deletedSuffix)
	f, err := ofLivingThread(p, func(tid int) (*File, error) {
		return openRegular(path, func() (int, error) { return p.findMapped(tid, m) })
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

// findMapped opens the file of a mapping with findFlags. The directory map_files is missing in
// /proc/PID/task/TID, but /proc/TID exists for every thread.
func (p *Process) findMapped(tid int, m Mapping) (int, error) {
	at := AddressRange{m.Start, m.End}
	if m.Neighbor != (AddressRange{}) {
		at = m.Neighbor
	}
	fd, err := unix.Open(fmt.Sprintf("/proc/%d/map_files/%x-%x", tid, at.Start, at.End), findFlags, 0)
	if err != nil {
		if fd, ok := p.findMappedExecutable(tid, m); ok {
			return fd, nil
		}
		return 0, err
	}
	if err := cmp.Or(verifyThread(p.PID, tid), verifyPath(fd, m)); err != nil {
		unix.Close(fd)
		return 0, err
	}
	return fd, nil
}

// verifyPath returns an error unless fd, opened through map_files, is of the file that the mapping had when it
// was read. A program that the process has executed since may have a mapping at the same addresses: all do
// that are linked to fixed addresses. The inodes of overlayfs differ between /proc/PID/maps and stat(2).
func verifyPath(fd int, m Mapping) error {
	path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil {
		return err
	}
	// maps shows a newline as four characters, see proc_pid_maps(5).
	path = clean.Text(strings.ReplaceAll(path, "\n", `\012`))
	if withoutDeleted(path) != withoutDeleted(m.Path) {
		return fmt.Errorf("the process has mapped %s where it had %s", path, m.Path)
	}
	return nil
}

func withoutDeleted(path string) string { return strings.TrimSuffix(path, deletedSuffix) }

// deletedSuffix follows the path of a deleted file in /proc.
const deletedSuffix = " (deleted)"

// findMappedExecutable opens the process's executable with findFlags if it is the file of a mapping. That also
// finds deleted files and those in memory (memfd_create(2)), and needs only CAP_SYS_PTRACE, whereas
// map_files needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE.
func (p *Process) findMappedExecutable(tid int, m Mapping) (fd int, ok bool) {
	fd, err := p.findExecutable(tid)
	if err != nil {
		return 0, false
	}
	if info, err := statRegular(fd); err != nil || info.inode != m.Inode || deviceName(info.dev) != m.Dev {
		unix.Close(fd)
		return 0, false
	}
	return fd, true
}

// deviceName returns a device as /proc/PID/maps shows it.
func deviceName(dev uint64) string { return fmt.Sprintf("%02x:%02x", unix.Major(dev), unix.Minor(dev)) }

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

// onLocalFileSystem reports whether fd is on a file system for disks, memory or container images
// that the kernel alone implements. Others, above all FUSE and network file systems, depend on a
// program or host that may not answer. So may overlayfs, the usual one of containers: its layers
// cannot be seen from here, and some container runtimes, or a target in a user namespace of its own,
// put it on top of FUSE.
func onLocalFileSystem(fd int) bool {
	var s unix.Statfs_t
	if unix.Fstatfs(fd, &s) != nil {
		return false
	}
	switch uint32(s.Type) {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC, unix.TMPFS_MAGIC,
		unix.RAMFS_MAGIC, unix.SQUASHFS_MAGIC, unix.EROFS_SUPER_MAGIC_V1:
		return true
	}
	return false
}

// maxRead bounds the bytes read by one system call. They pass through a buffer of the call, because
// a call that timed out may still write to its buffer.
const maxRead = 256 << 10

// ReadAt implements io.ReaderAt. If the file is not on a local file system and all reads together
// have taken 10 s, this and all later calls return an error that wraps os.ErrDeadlineExceeded.
func (f *File) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 || off >= f.info.size {
		return 0, io.EOF
	}
	if f.local {
		return pread(f.fd, b, off)
	}
	done := 0
	for done < len(b) {
		n, err := f.readSome(b[done:], off+int64(done))
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// readSome reads a part of b from a block or, if b is not smaller than one, up to maxRead bytes.
func (f *File) readSome(b []byte, off int64) (int, error) {
	if len(b) >= blockSize {
		read, err := f.readTimed(func() []byte { return make([]byte, min(len(b), maxRead)) }, off)
		return copy(b, read), err
	}
	b = b[:min(int64(len(b)), blockSize-off%blockSize)]
	if n, ok := f.readCached(b, off); ok {
		if n < len(b) {
			return n, io.EOF
		}
		return n, nil
	}
	one := block{file: f, at: off - off%blockSize}
	var err error
	if one.bytes, err = f.readTimed(takeBuffer, one.at); err != nil && err != io.EOF {
		return 0, err
	}
	n := copy(b, one.bytes[min(off-one.at, int64(len(one.bytes))):])
	keepBlock(one)
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// readTimed fills a new buffer within the time that is left.
func (f *File) readTimed(newBuffer func() []byte, off int64) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.timeLeft <= 0 {
		return nil, fmt.Errorf("read %s: its file system is too slow: %w", f.path, os.ErrDeadlineExceeded)
	}
	buffer, began := newBuffer(), time.Now()
	n, err := withTimeout(f.timeLeft, f.path, func() (int, error) { return pread(f.fd, buffer, off) }, nil)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		f.timeLeft = 0
		return nil, err
	}
	f.timeLeft -= time.Since(began)
	return buffer[:n], err
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

// Path returns the file's path as the process sees it, without the suffix " (deleted)".
func (f *File) Path() string { return f.path }

// Key returns the device and inode, which identify the file among all open files.
func (f *File) Key() (dev, inode uint64) { return f.info.dev, f.info.inode }

// Content returns what differs between two files, and after the file has been written to.
func (f *File) Content() Content {
	return Content{f.info.dev, f.info.inode, f.info.size, f.info.modified.UnixNano()}
}

// Content identifies the content of a file among all open files at one time.
type Content struct {
	dev, inode     uint64
	size, modified int64
}

// HasChanged reports whether the file's content is another one than when it was opened. cp and shells write a new
// program into the file of the old one, after the process that executed it has ended.
func (f *File) HasChanged() bool {
	before, written := f.BuildID(), f.wasWritten()
	if written {
		f.forgetBlocks()
	}
	current := f.readBuildID()
	return before != current || current == "" && written
}

// wasWritten reports whether the file has been written to since it was opened. It reports false if the file system
// does not answer.
func (f *File) wasWritten() bool {
	now, err := withTimeout(openTimeout, "stat "+f.path, func() (fileInfo, error) { return statRegular(f.fd) }, nil)
	return err == nil && (now.size != f.info.size || !now.modified.Equal(f.info.modified))
}

// Close closes the file. Closing has a timeout, too, because it may wait for the file system.
func (f *File) Close() error {
	f.forgetBlocks()
	if f.root != nil {
		f.root.Close()
		f.root = nil
	}
	_, err := withTimeout(openTimeout, "close "+f.path, func() (int, error) { return 0, unix.Close(f.fd) }, nil)
	return err
}

// BuildID returns the ELF object's GNU build ID in hex or, if it has none, Go's build ID; empty if
// it has neither, or if the file had been written to before the first call.
func (f *File) BuildID() string {
	f.once.Do(func() {
		id := f.readBuildID()
		if !f.wasWritten() {
			f.buildID = id
		}
	})
	return f.buildID
}

func (f *File) readBuildID() string {
	o, err := object.Open(f)
	if err != nil {
		return ""
	}
	return clean.Text(o.BuildID())
}
