//go:build linux

package golang

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/gob"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

var update = flag.Bool("update", false, "record the images in testdata anew; needs qemu-aarch64-static (Debian: qemu-user-static)")

// image holds the parts of a program and its memory that were read while it was recorded, so that
// they can be read again without the program.
type image struct {
	Size     int64             // of the executable
	File     map[int64][]byte  // pages of it, by offset
	Memory   map[uint64][]byte // pages of the process, by address
	Mapping  proc.Mapping      // of the code
	Profiles map[string][]byte // that the program wrote itself, by name
}

const pageSize = 4096

var errNotRecorded = errors.New("not in the image")

// ReadAt reads the recorded executable.
func (im *image) ReadAt(b []byte, offset int64) (int, error) {
	if offset < 0 || offset >= im.Size {
		return 0, io.EOF
	}
	for n := 0; n < len(b); {
		at := offset + int64(n)
		if at >= im.Size {
			return n, io.EOF
		}
		page, ok := im.File[at&^(pageSize-1)]
		if !ok {
			return n, errNotRecorded
		}
		n += copy(b[n:], page[min(at%pageSize, int64(len(page))):])
		if at&^(pageSize-1)+int64(len(page)) < min(im.Size, at&^(pageSize-1)+pageSize) {
			return n, errNotRecorded
		}
	}
	return len(b), nil
}

// Read reads the recorded memory.
func (im *image) Read(parts ...proc.MemoryPart) error {
	for _, p := range parts {
		for n := 0; n < len(p.Bytes); {
			at := p.Address + uint64(n)
			page, ok := im.Memory[at&^(pageSize-1)]
			if !ok {
				return fmt.Errorf("%#x: %w", at, errNotRecorded)
			}
			n += copy(p.Bytes[n:], page[at%pageSize:])
		}
	}
	return nil
}

func (im *image) open() (*Runtime, error) { return open(im, im, im.Mapping) }

// recorder reads a running program and records what it reads.
type recorder struct {
	*image
	file   *os.File
	memory Memory
}

func (r *recorder) ReadAt(b []byte, offset int64) (int, error) {
	for at := offset &^ (pageSize - 1); at < min(offset+int64(len(b)), r.Size); at += pageSize {
		if r.File[at] == nil {
			page := make([]byte, min(pageSize, r.Size-at))
			if _, err := r.file.ReadAt(page, at); err != nil {
				return 0, err
			}
			r.File[at] = page
		}
	}
	return r.image.ReadAt(b, offset)
}

func (r *recorder) Read(parts ...proc.MemoryPart) error {
	for _, p := range parts {
		for at := p.Address &^ (pageSize - 1); at < p.Address+uint64(len(p.Bytes)); at += pageSize {
			if r.image.Memory[at] == nil {
				page := make([]byte, pageSize)
				if err := r.memory.Read(proc.MemoryPart{Address: at, Bytes: page}); err != nil {
					return err
				}
				r.image.Memory[at] = page
			}
		}
	}
	return r.image.Read(parts...)
}

// record runs testdata/programs/writes in an emulator and records what is read of its profiles.
func record(t *testing.T, version, arch string, emulator ...string) *image {
	t.Helper()
	path, dir := build(t, version, arch, "writes", "-trimpath", "-ldflags=-s -w"), t.TempDir()
	cmd := exec.Command(append(emulator, path)[0], append(append(emulator, path)[1:], dir)...)
	if _, err := cmd.StdinPipe(); err != nil { // it waits on stdin until it is killed
		t.Fatal(err)
	}
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	expect(t, bufio.NewReader(out), "ready\n")
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	im := &image{Size: info.Size(), File: map[int64][]byte{}, Memory: map[uint64][]byte{}, Profiles: map[string][]byte{}}
	im.Mapping = mappingOf(t, cmd.Process.Pid, path)
	for _, name := range []string{"heap", "mutex", "block"} {
		if im.Profiles[name], err = os.ReadFile(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	recorder := &recorder{im, file, processMemory{pid: cmd.Process.Pid}}
	r, err := open(recorder, recorder, im.Mapping)
	if err != nil {
		t.Fatal(err)
	}
	readAll(t, r)
	return im
}

// mappingOf returns the mapping of a program's first page. An emulator does not map the program as
// executable.
func mappingOf(t *testing.T, pid int, path string) proc.Mapping {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(maps)) {
		var m proc.Mapping
		if strings.HasSuffix(line, " "+path+"\n") {
			var perms string
			if _, err := fmt.Sscanf(line, "%x-%x %s %x", &m.Start, &m.End, &perms, &m.Offset); err == nil && m.Offset == 0 {
				return m
			}
		}
	}
	t.Fatalf("%s is not mapped:\n%s", path, maps)
	return proc.Mapping{}
}

// readAll reads the heap, mutex and block profiles and returns the values by profile name and
// stack, a list of functions with lines.
func readAll(t *testing.T, r *Runtime) map[string][]int64 {
	t.Helper()
	all := map[string][]int64{}
	add := func(name string, calls []uint64, values ...int64) {
		key := name + ": "
		for _, call := range calls {
			frames, err := r.table.Lookup(call - r.bias)
			if err != nil {
				t.Errorf("%#x: %v", call, err)
			}
			for _, f := range frames {
				if f.Name != "runtime.goexit" {
					key += fmt.Sprintf("%s:%d,", f.Name, f.Line)
				}
			}
		}
		if all[key] == nil {
			all[key] = make([]int64, len(values))
		}
		for i, v := range values {
			all[key][i] += v
		}
	}
	heap, err := r.MemProfile(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range heap.Records {
		if m.MemCounts == (MemCounts{}) {
			continue // no counts published yet
		}
		add("heap", r.MemStack(m.PCs), m.Allocs, m.AllocBytes, m.Allocs-m.Frees, m.AllocBytes-m.FreeBytes)
	}
	for name, read := range map[string]func(context.Context) (*BlockProfile, error){"mutex": r.MutexProfile, "block": r.BlockProfile} {
		p, err := read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range p.Records {
			add(name, r.BlockStack(b.PCs), b.Count)
		}
	}
	return all
}

func (im *image) write(t *testing.T, path string) {
	t.Helper()
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err := errors.Join(gob.NewEncoder(z).Encode(im), z.Close(), os.WriteFile(path, b.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func readImage(t testing.TB, path string) *image {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	im := new(image)
	if err := gob.NewDecoder(z).Decode(im); err != nil {
		t.Fatal(err)
	}
	return im
}

const arm64Image = "testdata/arm64.image.gz"

// The profiles read from the recorded memory of an arm64 program match those that the program wrote
// itself.
func TestImageOfARM64(t *testing.T) {
	if *update {
		record(t, "local", "arm64", "qemu-aarch64-static").write(t, arm64Image)
	}
	im := readImage(t, arm64Image)
	r, err := im.open()
	if err != nil {
		t.Fatal(err)
	}
	got := readAll(t, r)
	compared := 0
	for name, raw := range im.Profiles {
		p, err := profile.ParseData(raw)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string][]int64{}
		for _, s := range p.Sample {
			key := name + ": "
			for _, l := range s.Location {
				for _, line := range l.Line {
					key += fmt.Sprintf("%s:%d,", line.Function.Name, line.Line)
				}
			}
			values := s.Value
			if s.Value[0] == 0 {
				continue // no counts were published when the program wrote it
			}
			if name != "heap" {
				values = values[:1] // the other one is a time
			}
			if want[key] == nil {
				want[key] = make([]int64, len(values))
			}
			for i, v := range values {
				want[key][i] += v
			}
		}
		for key, values := range want {
			if !slices.Equal(got[key], values) {
				t.Errorf("%v, want %v: %s", got[key], values, key)
			}
			compared++
		}
	}
	if compared != len(got) || compared < 10 {
		t.Errorf("the program's profiles have %d stacks, %d were read", compared, len(got))
	}
}
