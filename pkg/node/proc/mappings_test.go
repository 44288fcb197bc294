//go:build linux

package proc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// lineReader returns the lines of a maps file one by one.
type lineReader struct {
	line  func(i int) string
	lines int // number of lines
	i     int
	text  string
}

func (r *lineReader) Read(b []byte) (int, error) {
	if r.text == "" {
		if r.i == r.lines {
			return 0, io.EOF
		}
		r.text = r.line(r.i)
		r.i++
	}
	n := copy(b, r.text)
	r.text = r.text[n:]
	return n, nil
}

// mappingsOf returns the executable mappings in a list.
func mappingsOf(ctx context.Context, r io.Reader) ([]Mapping, error) {
	list, err := parseMappings(ctx, r)
	if list == nil {
		return nil, err
	}
	return list.all, err
}

// Lists of any length are read within bounds of memory. What was read is not lost.
func TestMappingsAreBounded(t *testing.T) {
	long := "/" + strings.Repeat("x", 4080)
	line := func(perms, path string) func(int) string {
		return func(i int) string { return fmt.Sprintf("%x-%x %s 0 fe:00 7 %s\n", i<<12, (i+1)<<12, perms, path) }
	}
	cases := []struct {
		name  string
		list  *lineReader
		least int  // mappings
		cut   bool // ErrMappingsCut is returned
	}{
		{"many mappings of one file", &lineReader{line: line("r-xp", "/usr/lib/libx.so"), lines: 60_000}, 60_000, false},
		{"260,000 parts of an index", &lineReader{line: func(i int) string {
			return line("r--s", fmt.Sprint("/usr/share/elasticsearch/data/indices/abc/0/index/_", i/10))(i)
		}, lines: 260_000}, 0, false},
		{"one long path", &lineReader{line: line("r-xp", long), lines: 10_000}, 10_000, false},
		{"different long paths", &lineReader{line: func(i int) string { return line("r-xp", fmt.Sprint(long, i))(i) }, lines: 65_480}, 100, true},
		{"long paths of data", &lineReader{line: func(i int) string { return line("r--p", fmt.Sprint(long, i))(i) }, lines: 65_480}, 0, true},
		{"too many mappings", &lineReader{line: line("r-xp", "/a"), lines: 1 << 20}, maxMappings, true},
		{"a line without end", &lineReader{line: func(i int) string { return []string{line("r-xp", "/a")(0), "1-2 r-xp 0 fe:00 7 /b", long}[min(i, 2)] }, lines: 1 << 20}, 1, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var before, after runtime.MemStats
			list := strings.Builder{} // made in advance, so that only the parser's memory is counted
			if _, err := io.Copy(&list, io.LimitReader(c.list, 2*maxMapsText)); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&before)
			all, err := mappingsOf(t.Context(), strings.NewReader(list.String()))
			runtime.ReadMemStats(&after)
			if errors.Is(err, ErrMappingsCut) != c.cut || err != nil && !c.cut {
				t.Errorf("error %v", err)
			}
			if len(all) < c.least || c.cut && len(all) > maxMappings {
				t.Errorf("%d mappings, want %d or more", len(all), c.least)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 40<<20 {
				t.Errorf("%d MiB were allocated", n>>20)
			}
		})
	}
}

// A call that nobody waits for any more does not read on.
func TestAbandonedReadOfMappingsEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	list := &lineReader{lines: 1 << 20, line: func(i int) string {
		if i == 10 {
			cancel()
		}
		return fmt.Sprintf("%x-%x r-xp 0 fe:00 7 /a\n", i<<12, (i+1)<<12)
	}}
	all, err := mappingsOf(ctx, list)
	if !errors.Is(err, ErrMappingsCut) || len(all) > 11 || list.i > 11 {
		t.Errorf("%d mappings of %d lines and %v", len(all), list.i, err)
	}
}

// A real process has tens of thousands of executable mappings with paths of almost 4 KB. Its first
// mappings are known, in time.
func TestMappingsOfAHostileProcess(t *testing.T) {
	dir, err := unix.Open(t.TempDir(), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.Repeat("d", 250)
	for range 15 {
		if err := unix.Mkdirat(dir, name, 0o700); err != nil {
			t.Fatal(err)
		}
		next, err := unix.Openat(dir, name, unix.O_PATH|unix.O_DIRECTORY, 0)
		if err != nil {
			t.Fatal(err)
		}
		unix.Close(dir)
		dir = next
	}
	defer unix.Close(dir)
	for i := range 60_000 / 100 {
		fd, err := unix.Openat(dir, fmt.Sprint("f", i), unix.O_CREAT|unix.O_RDWR, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Ftruncate(fd, 4096); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			m, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Munmap(m)
		}
		unix.Close(fd)
	}
	self, err := Open(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	all, err := self.Mappings()
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrMappingsCut) || len(all) < 1000 {
		t.Errorf("%d mappings and %v, want some thousand and ErrMappingsCut, not the error of a call that timed out", len(all), err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 20<<20 {
		t.Errorf("%d MiB were allocated", n>>20)
	}
}
