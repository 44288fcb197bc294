//go:build linux

package proc

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// A regular file is opened, and reading beyond its end is an error.
func TestOpenInRoot(t *testing.T) {
	self := openSelf(t)
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := self.OpenInRoot(plain)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Size() != 7 || f.BuildID() != "" {
		t.Errorf("size %d, build ID %q", f.Size(), f.BuildID())
	}
	if _, err := f.ReadAt(make([]byte, 1), 100); err == nil {
		t.Error("no error when reading beyond the end")
	}
}

// Files that are not regular are recognised without being opened, so that no driver and no other
// program notices.
func TestSpecialFilesAreNotOpened(t *testing.T) {
	need.Root(t) // to make a device node
	self := openSelf(t)
	dir := t.TempDir()
	device := filepath.Join(dir, "device")
	if err := unix.Mknod(device, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil { // as /dev/null
		t.Fatal(err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := os.Symlink(device, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "directory"), 0o700); err != nil {
		t.Fatal(err)
	}
	opened := watchOpens(t, dir)
	for _, name := range []string{"device", "fifo", "socket", "link", "directory"} {
		f, err := self.OpenInRoot(filepath.Join(dir, name))
		if err == nil {
			f.Close()
		}
		if !errors.Is(err, errNotRegular) {
			t.Errorf("%s: %v", name, err)
		}
		if opened() {
			t.Errorf("%s was opened", name)
		}
	}
	for _, path := range []string{filepath.Join(dir, "missing"), "/proc/self/root"} {
		if f, err := self.OpenInRoot(path); err == nil {
			f.Close()
			t.Errorf("%s was opened", path)
		}
	}
	if f, err := os.Open(device); err != nil || !opened() {
		t.Errorf("opening the device in this test is not noticed: %v", err)
	} else {
		f.Close()
	}
}

// A program that waits to write into a FIFO goes on waiting.
func TestWriterOfFIFOIsNotWoken(t *testing.T) {
	self := openSelf(t)
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	woken := make(chan error, 1)
	go func() {
		w, err := os.OpenFile(fifo, os.O_WRONLY, 0)
		if err == nil {
			w.Close()
		}
		woken <- err
	}()
	time.Sleep(50 * time.Millisecond)
	if _, err := self.OpenInRoot(fifo); !errors.Is(err, errNotRegular) {
		t.Errorf("got %v", err)
	}
	select {
	case err := <-woken:
		t.Fatalf("the writer was woken: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	r, err := os.Open(fifo)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := <-woken; err != nil {
		t.Error(err)
	}
}

// A mapped device is not opened either.
func TestMappedDeviceIsNotOpened(t *testing.T) {
	need.Root(t) // to make a device node
	self := openSelf(t)
	dir := t.TempDir()
	device := filepath.Join(dir, "zero")
	if err := unix.Mknod(device, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(device)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	memory, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(memory)
	mappings, err := self.Mappings()
	if err != nil {
		t.Fatal(err)
	}
	opened := watchOpens(t, dir)
	found := false
	for _, m := range mappings {
		if m.Path == device {
			found = true
			if _, err := self.OpenMapping(m); !errors.Is(err, errNotRegular) {
				t.Errorf("got %v", err)
			}
		}
	}
	if !found {
		t.Fatal("the mapping is not listed")
	}
	if opened() {
		t.Error("the device was opened")
	}
}

// A process may execute another program after its mappings were read. The file that the other program has at the
// same addresses is not taken for that of the mapping.
func TestMappingOfProgramExecutedBefore(t *testing.T) {
	need.Root(t) // for map_files
	self := openSelf(t)
	mappings, err := self.Mappings()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(mappings, func(m Mapping) bool { return m.Inode != 0 })
	before := filepath.Join(t.TempDir(), "before")
	if err := os.WriteFile(before, []byte("the program before"), 0o700); err != nil {
		t.Fatal(err)
	}
	mapping := mappings[i]
	mapping.Path = before
	f, err := self.OpenMapping(mapping)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 32)
	if n, _ := f.ReadAt(b, 0); string(b[:n]) != "the program before" {
		t.Errorf("opened %q", b[:n])
	}
	mapping.Path += " (deleted)"
	if f, err := self.OpenMapping(mapping); err == nil {
		f.Close()
		t.Error("the file of another program was opened for a deleted one")
	}
}

// If the target replaces a file between the check and the opening, the file that was checked is
// opened.
func TestFileReplacedAfterCheck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("checked"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := openRegular(path, func() (int, error) {
		fd, err := unix.Open(path, findFlags, 0)
		if err == nil {
			err = errors.Join(os.Remove(path), unix.Mkfifo(path, 0o600))
		}
		return fd, err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text := make([]byte, 7)
	if _, err := f.ReadAt(text, 0); err != nil || string(text) != "checked" {
		t.Errorf("read %q, %v", text, err)
	}
}

// watchOpens returns a function that reports whether files in dir were opened since its last call.
func watchOpens(t *testing.T, dir string) func() bool {
	t.Helper()
	watch, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(watch) })
	if _, err := unix.InotifyAddWatch(watch, dir, unix.IN_OPEN); err != nil {
		t.Fatal(err)
	}
	return func() bool {
		n, _ := unix.Read(watch, make([]byte, 64<<10))
		return n > 0
	}
}

func openSelf(t testing.TB) *Process {
	t.Helper()
	self, err := Open(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	return self
}
