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

// Mappings lists the executable mappings in the order of their addresses.
func (p *Process) Mappings() ([]Mapping, error) {
	f, err := os.Open(p.path("maps"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parseMappings(f)
}

// parseMappings reads the format of proc_pid_maps(5), and keeps the executable mappings.
func parseMappings(r io.Reader) ([]Mapping, error) {
	var all []Mapping
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, maxLine), maxLine)
	for lines.Scan() {
		m, err := parseMapping(lines.Text())
		if err != nil {
			return nil, err
		}
		if !m.Exec {
			continue
		}
		if len(all) == maxMappings {
			return all, nil
		}
		all = append(all, m)
	}
	return all, lines.Err()
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
