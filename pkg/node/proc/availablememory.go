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

// memoryFiles names the files of the memory controller; their values are in bytes. Sources: the
// kernel's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.
type memoryFiles struct {
	fs, option   string // of the mount
	limit, usage string
	inactive     string // line of memory.stat with the reclaimable cache of the cgroup and its descendants
}

// memoryFilesOf holds the files of cgroup v2 (true) and v1 (false).
var memoryFilesOf = map[bool]memoryFiles{
	true:  {fs: "cgroup2", limit: "memory.max", usage: "memory.current", inactive: "inactive_file"},
	false: {fs: "cgroup", option: "memory", limit: "memory.limit_in_bytes", usage: "memory.usage_in_bytes", inactive: "total_inactive_file"},
}

// AvailableMemory returns how many bytes a process can still allocate before it exceeds the memory
// limit of its cgroup or of an ancestor; MaxInt64 if there is no limit. It needs CAP_SYS_ADMIN: a
// container sees only its own cgroup, but the limit may be on its pod's, so this mounts the cgroup
// file system again, detached from every mount namespace.
func AvailableMemory(pid int) (int64, error) {
	text, err := readBounded(fmt.Sprintf("/proc/%d/cgroup", pid), 64<<10)
	if err != nil {
		return 0, err
	}
	dir, unified := memoryCgroup(text)
	files := memoryFilesOf[unified]
	root, err := mountCgroups(files.fs, files.option)
	if err != nil {
		return 0, fmt.Errorf("mount the cgroup file system: %w", err)
	}
	defer root.Close()
	available := int64(math.MaxInt64)
	for ; dir != "/" && dir != "."; dir = path.Dir(dir) {
		n, err := files.available(root, dir)
		if errors.Is(err, os.ErrNotExist) {
			continue // ancestors outside our cgroup namespace have no names
		}
		if err != nil {
			return 0, err
		}
		available = min(available, n)
	}
	return available, nil
}

// memoryCgroup returns the path of the cgroup in the hierarchy that has the memory controller, from
// the text of /proc/PID/cgroup.
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

// mountCgroups mounts a cgroup hierarchy without attaching it to the file system tree.
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

// available returns how many bytes one cgroup can still allocate.
func (f memoryFiles) available(root *os.File, dir string) (int64, error) {
	limit, err := readAt(root, path.Join(dir, f.limit))
	if err != nil {
		return 0, err
	}
	bytes, err := strconv.ParseInt(strings.TrimSpace(limit), 10, 64)
	if err != nil || bytes >= math.MaxInt64/2 {
		return math.MaxInt64, nil // "max", or v1's largest number of pages
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
	fd, err := unix.Openat2(int(root.Fd()), strings.TrimPrefix(name, "/"), &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS,
	})
	if err != nil {
		return "", &os.PathError{Op: "open", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 64<<10))
	return string(text), err
}
