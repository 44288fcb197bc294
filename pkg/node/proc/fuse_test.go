//go:build linux

package proc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// Requests of the FUSE protocol (include/uapi/linux/fuse.h).
const (
	fuseLookup  = 1
	fuseGetattr = 3
	fuseOpen    = 14
	fuseStatfs  = 17
	fuseRead    = 15
	fuseFlush   = 25
	fusePoll    = 40
	fuseInit    = 26
)

// mountFUSE mounts a FUSE file system with one regular file of 4 KiB, "file", and returns the path
// of the file. The file system does not answer requests of the given kind. At the end of the test
// all hanging calls return.
func mountFUSE(t *testing.T, silent uint32) string {
	t.Helper()
	need.Root(t) // to mount a file system
	dev, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := unix.Mount("test", dir, "fuse", unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", dev)); err != nil {
		unix.Close(dev)
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() {
		unix.Unmount(dir, unix.MNT_FORCE|unix.MNT_DETACH) // ends all requests and serveFUSE
		<-ended
		unix.Close(dev)
	})
	go func() {
		defer close(ended)
		serveFUSE(dev, silent)
	}()
	return filepath.Join(dir, "file")
}

// serveFUSE answers FUSE requests until the file system is unmounted.
func serveFUSE(dev int, silent uint32) {
	request := make([]byte, 128<<10)
	le := binary.LittleEndian
	for {
		n, err := unix.Read(dev, request)
		if err == unix.EINTR || err == unix.ENOENT {
			continue
		}
		if err != nil || n < 40 {
			return
		}
		code, node := le.Uint32(request[4:]), le.Uint64(request[16:])
		if code == silent {
			continue
		}
		attributes := func(node uint64) []byte { // struct fuse_attr
			a := make([]byte, 88)
			le.PutUint64(a, node)
			le.PutUint64(a[8:], 4096)
			mode := uint32(unix.S_IFREG | 0o644)
			if node == 1 {
				mode = unix.S_IFDIR | 0o755
			}
			le.PutUint32(a[60:], mode)
			le.PutUint32(a[64:], 1) // links
			return a
		}
		var answer []byte
		errno := int32(0)
		switch code {
		case fuseInit:
			answer = make([]byte, 64)
			le.PutUint32(answer, 7)
			le.PutUint32(answer[4:], 31)
			le.PutUint32(answer[20:], 4096) // largest write
		case fuseLookup:
			answer = append(le.AppendUint64(nil, 2), make([]byte, 32)...)
			answer = append(answer, attributes(2)...)
		case fuseGetattr:
			answer = append(make([]byte, 16), attributes(node)...)
		case fuseStatfs: // struct fuse_statfs_out
			answer = make([]byte, 80)
			le.PutUint32(answer[40:], 4096) // size of a block
			le.PutUint32(answer[44:], 255)  // length of names
		case fuseOpen:
			answer = make([]byte, 16)
		case fuseRead:
			answer = make([]byte, 4096)
		default:
			errno = -int32(unix.ENOSYS)
		}
		reply := le.AppendUint32(nil, uint32(16+len(answer)))
		reply = le.AppendUint32(reply, uint32(errno))
		reply = le.AppendUint64(reply, le.Uint64(request[8:]))
		unix.Write(dev, append(reply, answer...))
	}
}

// openAgain opens a file again for as long as a busy machine answers too late.
func openAgain(p *Process, path string, f *File, err error) (*File, error) {
	for deadline := time.Now().Add(time.Minute); errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(deadline); {
		f, err = p.OpenInRoot(path)
	}
	return f, err
}

// Calls to a file system that does not answer time out, whichever request it leaves unanswered.
func TestFileSystemWithoutAnswers(t *testing.T) {
	self, err := Open(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for name, silent := range map[string]uint32{"answers": 0, "no lookup": fuseLookup, "no open": fuseOpen, "no read": fuseRead, "no flush": fuseFlush, "no poll": fusePoll} {
		t.Run(name, func(t *testing.T) {
			path := mountFUSE(t, silent)
			f, err := self.OpenInRoot(path)
			if answers := silent != fuseLookup && silent != fuseOpen; answers {
				f, err = openAgain(self, path, f, err)
			}
			if silent == fuseLookup || silent == fuseOpen {
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("open: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := f.Close(); (err != nil) != (silent == fuseFlush) {
					t.Errorf("close: %v", err)
				}
			}()
			if f.timeLeft = time.Minute; silent == fuseRead {
				f.timeLeft = 200 * time.Millisecond
			}
			_, err = f.ReadAt(make([]byte, 10), 0)
			if silent != fuseRead {
				if err != nil {
					t.Errorf("read: %v", err)
				}
				return
			}
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("read: %v", err)
			}
			waiting := hungCalls.Load()
			if _, err := f.ReadAt(make([]byte, 10), 0); !errors.Is(err, os.ErrDeadlineExceeded) || hungCalls.Load() != waiting {
				t.Errorf("second read: %v; %d calls hang, %d before", err, hungCalls.Load(), waiting)
			}
			if f.BuildID() != "" {
				t.Error("a file that cannot be read has a build ID")
			}
		})
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if hungCalls.Load() == 0 {
			return
		}
	}
	t.Errorf("%d calls still hang after the file systems were unmounted", hungCalls.Load())
}

// An overlay is only as reliable as its layers: reading from one above a FUSE file system that does
// not answer times out.
func TestOverlayAboveFUSE(t *testing.T) {
	self := openSelf(t)
	lower := filepath.Dir(mountFUSE(t, fuseRead))
	dir := t.TempDir()
	for _, name := range []string{"upper", "work", "merged"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	merged := filepath.Join(dir, "merged")
	if err := unix.Mount("test", merged, "overlay", 0, fmt.Sprintf("lowerdir=%s,upperdir=%s/upper,workdir=%s/work", lower, dir, dir)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(merged, unix.MNT_DETACH) })
	f, err := self.OpenInRoot(filepath.Join(merged, "file"))
	f, err = openAgain(self, filepath.Join(merged, "file"), f, err)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.timeLeft = 200 * time.Millisecond
	if _, err := f.ReadAt(make([]byte, 10), 0); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read: %v", err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 1000 {
		if _, err := f.ReadAt(make([]byte, 10), 0); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("read after the time is over: %v", err)
		}
	}
	runtime.ReadMemStats(&after)
	if bytes := after.TotalAlloc - before.TotalAlloc; bytes > 1<<20 {
		t.Errorf("1000 reads of a file that has timed out allocate %d bytes", bytes)
	}
}
