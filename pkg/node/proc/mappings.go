//go:build linux

package proc

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/clean"
)

// Bounds on /proc/PID/maps. Large programs have some hundred executable mappings with 100 KB of
// paths; Elasticsearch maps its index in 260,000 parts, which makes 40 MB of lines. The kernel
// needs about 10 µs for a line with a path of 4 KB, and the process may have 65,530 lines
// (vm.max_map_count).
const (
	maxMappings  = 1 << 16                // executable ones
	maxMapsText  = 64 << 20               // bytes of all lines
	maxMapsPaths = 1 << 20                // bytes of the different paths of executable mappings
	maxMapsTime  = 800 * time.Millisecond // less than openTimeout, so that what was read is not lost
	maxLine      = 4096 + 256             // bytes of a line with a path of PATH_MAX bytes
)

// ErrMappingsCut is wrapped by the error that accompanies the first mappings of a process that has
// more than are read.
var ErrMappingsCut = errors.New("only the first mappings are known")

// Mapping is a mapped range of a process's addresses. Path is the path as the process sees it, a
// name such as "[vdso]" for mappings made by the kernel, and empty for anonymous memory.
type Mapping struct {
	Start, End uint64
	Offset     uint64 // of Start in the file, in bytes
	Dev        string // major:minor, as in /proc/<pid>/maps
	Inode      uint64
	Path       string
	Exec       bool

	// Neighbor is set if the process has moved code of a file into anonymous memory. It is a mapping of that
	// file, by which the file can be opened. Offset, Dev, Inode and Path are then those of the file.
	Neighbor AddressRange
}

// AddressRange is a range of addresses. End is exclusive.
type AddressRange struct{ Start, End uint64 }

// Anonymous reports whether the mapping is anonymous or shared memory, not a file or a mapping made
// by the kernel. Code in it was generated at run time.
func (m Mapping) Anonymous() bool {
	for _, shared := range []string{"/memfd:", "/dev/zero", "/SYSV", "/anon_hugepage"} { // proc_pid_maps(5); mm/shmem.c, fs/hugetlbfs/inode.c of Linux
		if strings.HasPrefix(m.Path, shared) {
			return true
		}
	}
	return m.Inode == 0 && m.Path != "[vdso]" && m.Path != "[vsyscall]" && m.Path != "[uprobes]"
}

// Mappings returns the executable mappings in address order. The kernel blocks the read while the
// process changes its mappings or waits for a page of a file with the lock held; after a second the
// error wraps os.ErrDeadlineExceeded. If there are too many mappings, or their paths are too long,
// it returns the first ones with an error that wraps ErrMappingsCut. A process that has ended, and a
// kernel thread, have no mappings.
func (p *Process) Mappings() ([]Mapping, error) {
	list, err := ofLivingThread(p, func(tid int) (*mappingList, error) {
		return readMappings(p.PID, tid)
	})
	if errors.Is(err, errNoMappings) || errors.Is(err, unix.ESRCH) {
		return nil, nil
	}
	if list == nil {
		return nil, err
	}
	p.findMovedCode(list, time.Now().Add(maxMovedTime))
	return list.all, err
}

var errNoMappings = errors.New("the thread has ended, or is the kernel's")

// readMappings reads the mappings of a thread's process. If the thread has none, the error is
// errNoMappings, or ESRCH since Linux 6.16.
func readMappings(pid, tid int) (*mappingList, error) {
	path := threadPath(pid, tid, "maps")
	ctx, cancel := context.WithTimeout(context.Background(), maxMapsTime)
	defer cancel() // a call that did not return in time ends before its next read
	list, err := withTimeout(openTimeout, path, func() (*mappingList, error) {
		f, err := os.Open(threadPath(pid, tid, "maps"))
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return parseMappings(ctx, f)
	}, nil)
	switch {
	case errors.Is(err, ErrMappingsCut):
		err = fmt.Errorf("%s: %w", path, err)
	case err == nil && len(list.all) == 0:
		err = errNoMappings
	}
	return list, err
}

// contextReader reads until the context is done.
type contextReader struct {
	ctx context.Context
	io.Reader
}

func (r contextReader) Read(b []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, fmt.Errorf("the list takes longer than %v: %w", maxMapsTime, ErrMappingsCut)
	}
	return r.Reader.Read(b)
}

// parseMappings parses the format of proc_pid_maps(5). A path longer than PATH_MAX is cut; the kernel
// writes a newline in a path as four bytes, so such paths exist.
func parseMappings(ctx context.Context, r io.Reader) (*mappingList, error) {
	all := &mappingList{}
	texts := &interned{texts: map[string]string{}}
	size, lines := 0, bufio.NewReaderSize(contextReader{ctx, r}, maxLine)
	for {
		line, more, err := lines.ReadLine()
		if err == io.EOF {
			return all, nil
		} else if err != nil {
			return all, err
		}
		m, err := parseMapping(line, texts)
		if err != nil {
			return nil, err
		}
		all.add(m, line)
		size += len(line)
		for more && err == nil && size <= maxMapsText {
			line, more, err = lines.ReadLine()
			size += len(line)
		}
		switch {
		case size > maxMapsText:
			return all, fmt.Errorf("the list has more than %d MiB: %w", maxMapsText>>20, ErrMappingsCut)
		case len(all.all) == maxMappings:
			return all, fmt.Errorf("the process has %d executable mappings or more: %w", maxMappings, ErrMappingsCut)
		case texts.size > maxMapsPaths:
			return all, fmt.Errorf("the paths have more than %d KiB: %w", maxMapsPaths>>10, ErrMappingsCut)
		}
	}
}

// interned holds different texts once. Most mappings of a process have the path of the one before.
type interned struct {
	texts map[string]string // clean texts, by what they are in the list
	size  int               // bytes
}

func (i *interned) clean(text []byte) string {
	known, ok := i.texts[string(text)] // this conversion does not allocate
	if !ok {
		known = clean.Text(string(text))
		i.texts[string(text)] = known
		i.size += len(text) + len(known)
	}
	return known
}

// parseMapping parses "start-end perms offset dev inode    path". Of a mapping that is not executable it
// parses only the numbers, unless texts is nil.
func parseMapping(line []byte, texts *interned) (Mapping, error) {
	var m Mapping
	bad := func(what string) (Mapping, error) {
		return Mapping{}, fmt.Errorf("maps: invalid %s in %.80q", what, line)
	}
	fields, rest := [5][]byte{}, line
	for i := range fields {
		fields[i], rest, _ = bytes.Cut(bytes.TrimLeft(rest, " "), []byte(" "))
	}
	start, end, ok := bytes.Cut(fields[0], []byte("-"))
	var errs [4]error
	m.Start, errs[0] = strconv.ParseUint(string(start), 16, 64)
	m.End, errs[1] = strconv.ParseUint(string(end), 16, 64)
	m.Offset, errs[2] = strconv.ParseUint(string(fields[2]), 16, 64)
	m.Inode, errs[3] = strconv.ParseUint(string(fields[4]), 10, 64)
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
	switch path := bytes.TrimLeft(rest, " "); {
	case texts == nil:
		m.Dev, m.Path = clean.Text(string(fields[3])), clean.Text(string(path))
	case m.Exec:
		m.Dev, m.Path = texts.clean(fields[3]), texts.clean(path)
	}
	return m, nil
}
