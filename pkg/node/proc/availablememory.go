//go:build linux

package proc

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// memoryFiles names what a memory controller tells of a cgroup, in bytes: cgroup v2 as in the kernel's
// Documentation/admin-guide/cgroup-v2.rst, v1 as in cgroup-v1/memory.rst.
type memoryFiles struct {
	fs, option   string // of the mount
	limit, usage string
	inactive     string // the line of memory.stat with the cache that can be dropped, of all below
}

var memoryFilesOf = map[bool]memoryFiles{
	true:  {fs: "cgroup2", limit: "memory.max", usage: "memory.current", inactive: "inactive_file"},
	false: {fs: "cgroup", option: "memory", limit: "memory.limit_in_bytes", usage: "memory.usage_in_bytes", inactive: "total_inactive_file"},
}

// AvailableMemory is how much memory a process's cgroup, and all above it, may still take before the kernel kills, in
// bytes; MaxInt64 without a limit. It needs CAP_SYS_ADMIN: a container is shown its own cgroup only, but its pod has
// the limit, so the cgroups are mounted once more, where nobody but us sees them.
func AvailableMemory(pid int) (int64, error) {
	text, err := readBounded(fmt.Sprintf("/proc/%d/cgroup", pid), 64<<10)
	if err != nil {
		return 0, err
	}
	dir, unified := memoryCgroup(text)
	files := memoryFilesOf[unified]
	root, err := mountCgroups(files.fs, files.option)
	if err != nil {
		return 0, fmt.Errorf("mount the cgroups: %w", err)
	}
	defer root.Close()
	room := int64(math.MaxInt64)
	for ; dir != "/" && dir != "."; dir = path.Dir(dir) {
		r, err := files.room(root, dir)
		if errors.Is(err, os.ErrNotExist) {
			continue // in another cgroup namespace the upper ones have no names
		}
		if err != nil {
			return 0, err
		}
		room = min(room, r)
	}
	return room, nil
}

// memoryCgroup is the path in the hierarchy that has the memory controller.
func memoryCgroup(text string) (dir string, unified bool) {
	for line := range strings.Lines(text) {
		hierarchy, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		controllers, p, _ := strings.Cut(rest, ":")
		if controllers == "memory" {
			return path.Clean(p), false
		}
		if hierarchy == "0" {
			dir = path.Clean(p)
		}
	}
	return dir, true
}

func mountCgroups(fs, option string) (*os.File, error) {
	context, err := unix.Fsopen(fs, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, err
	}
	defer unix.Close(context)
	if option != "" {
		if err := unix.FsconfigSetFlag(context, option); err != nil {
			return nil, err
		}
	}
	if err := unix.FsconfigCreate(context); err != nil {
		return nil, err
	}
	fd, err := unix.Fsmount(context, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_RDONLY)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), fs), nil
}

// room is that of one cgroup.
func (f memoryFiles) room(root *os.File, dir string) (int64, error) {
	limit, err := readAt(root, path.Join(dir, f.limit))
	if err != nil {
		return 0, err
	}
	bytes, err := strconv.ParseInt(strings.TrimSpace(limit), 10, 64)
	if err != nil || bytes >= math.MaxInt64/2 {
		return math.MaxInt64, nil // "max", and v1's largest number of pages
	}
	usage, err := readAt(root, path.Join(dir, f.usage))
	if err != nil {
		return 0, err
	}
	used, err := strconv.ParseInt(strings.TrimSpace(usage), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s of cgroup %s: %w", f.usage, dir, err)
	}
	stat, err := readAt(root, path.Join(dir, "memory.stat"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(stat) {
		if name, value, _ := strings.Cut(strings.TrimSpace(line), " "); name == f.inactive {
			if cache, err := strconv.ParseInt(value, 10, 64); err == nil {
				used -= cache
			}
		}
	}
	return bytes - used, nil
}

func readAt(root *os.File, name string) (string, error) {
	fd, err := unix.Openat(int(root.Fd()), strings.TrimPrefix(name, "/"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", &os.PathError{Op: "open", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 64<<10))
	return string(text), err
}
