//go:build linux

package proc

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// Bounds on /proc/PID/maps: mappings, and the length of a line with a path of PATH_MAX bytes.
const (
	maxMappings = 1 << 16
	maxLine     = 4096 + 256
)

// Mapping is a mapped range of a process's addresses. Path is the path as the process sees it, a
// name such as "[vdso]" for mappings made by the kernel, and empty for anonymous memory.
type Mapping struct {
	Start, End uint64
	Offset     uint64 // of Start in the file, in bytes
	Dev        string // major:minor, as in /proc/<pid>/maps
	Inode      uint64
	Path       string
	Exec       bool
}

// Anonymous reports whether the mapping is anonymous or shared memory, not a file or a mapping made
// by the kernel. Code in it was generated at run time.
func (m Mapping) Anonymous() bool {
	for _, shared := range []string{"/memfd:", "/dev/zero", "/SYSV"} { // proc_pid_maps(5), shmem.c of Linux
		if strings.HasPrefix(m.Path, shared) {
			return true
		}
	}
	return m.Inode == 0 && m.Path != "[vdso]" && m.Path != "[vsyscall]" && m.Path != "[uprobes]"
}

// Mappings returns the executable mappings in address order. The kernel blocks the read while the
// process changes its mappings or waits for a page of a file with the lock held; after a second the
// error wraps os.ErrDeadlineExceeded.
func (p *Process) Mappings() ([]Mapping, error) {
	return withTimeout(openTimeout, p.path("maps"), func() ([]Mapping, error) {
		f, err := os.Open(p.path("maps"))
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return parseMappings(f)
	}, nil)
}

// parseMappings parses the format of proc_pid_maps(5) and returns the executable mappings. A path
// longer than PATH_MAX is cut; the kernel writes a newline in a path as four bytes, so such paths
// exist.
func parseMappings(r io.Reader) ([]Mapping, error) {
	var all []Mapping
	lines := bufio.NewReaderSize(r, maxLine)
	for {
		line, more, err := lines.ReadLine()
		if err == io.EOF {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		m, err := parseMapping(string(line))
		if err != nil {
			return nil, err
		}
		for more && err == nil {
			_, more, err = lines.ReadLine()
		}
		if !m.Exec {
			continue
		}
		if len(all) == maxMappings {
			return all, nil
		}
		all = append(all, m)
	}
}

// parseMapping parses "start-end perms offset dev inode    path".
func parseMapping(line string) (Mapping, error) {
	var m Mapping
	bad := func(what string) (Mapping, error) {
		return Mapping{}, fmt.Errorf("maps: invalid %s in %.80q", what, line)
	}
	fields, rest := [5]string{}, line
	for i := range fields {
		fields[i], rest, _ = strings.Cut(strings.TrimLeft(rest, " "), " ")
	}
	start, end, ok := strings.Cut(fields[0], "-")
	var errs [4]error
	m.Start, errs[0] = strconv.ParseUint(start, 16, 64)
	m.End, errs[1] = strconv.ParseUint(end, 16, 64)
	m.Offset, errs[2] = strconv.ParseUint(fields[2], 16, 64)
	m.Inode, errs[3] = strconv.ParseUint(fields[4], 10, 64)
	switch {
	case !ok || errs[0] != nil || errs[1] != nil || m.End < m.Start:
		return bad("address range")
	case len(fields[1]) < 4:
		return bad("permissions")
	case errs[2] != nil:
		return bad("offset")
	case errs[3] != nil:
		return bad("inode")
	}
	m.Exec = fields[1][2] == 'x'
	m.Dev = fields[3]
	m.Path = clean(strings.TrimLeft(rest, " "))
	return m, nil
}
