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

// Bounds on what a process may make us read: mappings and the length of a path (PATH_MAX).
const (
	maxMappings = 1 << 16
	maxLine     = 4096 + 256
)

// Mapping is a range of a process's addresses that may be executed. Path is as the process sees it,
// "[vdso]" and the like for the kernel's own, and empty for anonymous memory.
type Mapping struct {
	Start, End uint64
	Offset     uint64 // of Start in the file, in bytes
	Dev        string // major:minor, as in /proc/<pid>/maps
	Inode      uint64
	Path       string
	Exec       bool
}

// Anonymous tells whether the mapping is memory that is no file's, shared memory included, but none of
// the kernel's own: such code was made at run time.
func (m Mapping) Anonymous() bool {
	for _, shared := range []string{"/memfd:", "/dev/zero", "/SYSV"} { // proc_pid_maps(5), shmem.c of Linux
		if strings.HasPrefix(m.Path, shared) {
			return true
		}
	}
	return m.Inode == 0 && m.Path != "[vdso]" && m.Path != "[vsyscall]" && m.Path != "[uprobes]"
}

// Mappings lists the executable mappings in the order of their addresses. The kernel makes us wait while
// the process changes them, or while it waits for a file's page with them locked: an error wraps
// os.ErrDeadlineExceeded after a second.
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

// parseMappings reads the format of proc_pid_maps(5), and keeps the executable mappings. A path that
// is longer than any can be opened by, for the kernel writes a newline in it as four bytes, is cut.
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

// parseMapping reads "start-end perms offset dev inode    path".
func parseMapping(line string) (Mapping, error) {
	var m Mapping
	bad := func(what string) (Mapping, error) {
		return Mapping{}, fmt.Errorf("maps: no %s in %.80q", what, line)
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
