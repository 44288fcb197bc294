//go:build linux

package symbol

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

// profileAt returns a profile without functions that has one sample, with locations at the
// addresses of a mapping.
func profileAt(m *profile.Mapping, addresses ...uint64) *profile.Profile {
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}}, Mapping: []*profile.Mapping{m}}
	s := &profile.Sample{Value: []int64{1}}
	for i, a := range addresses {
		l := &profile.Location{ID: uint64(i + 1), Mapping: m, Address: a}
		p.Location = append(p.Location, l)
		s.Location = append(s.Location, l)
	}
	p.Sample = []*profile.Sample{s}
	return p
}

func names(p *profile.Profile) []string {
	var all []string
	for _, l := range p.Sample[0].Location {
		for _, line := range l.Line {
			all = append(all, line.Function.Name)
		}
	}
	return all
}

// mappingOf returns a process's mapping of an address, and a function that opens its file.
func mappingOf(t *testing.T, pid int, address uint64) (*profile.Mapping, func(*profile.Mapping) *proc.File) {
	t.Helper()
	p, err := proc.Open(pid)
	if err != nil {
		t.Fatal(err)
	}
	all, err := p.Mappings()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if m.Start <= address && address < m.End {
			f, err := p.OpenInRoot(m.Path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { f.Close() })
			return &profile.Mapping{ID: 1, Start: m.Start, Limit: m.End, Offset: m.Offset, File: m.Path},
				func(*profile.Mapping) *proc.File { return f }
		}
	}
	t.Fatalf("no mapping has %#x", address)
	return nil, nil
}

// Addresses of a Go program have the names, files and lines of runtime.CallersFrames.
func TestSymbolizeGo(t *testing.T) {
	pcs := make([]uintptr, 32)
	pcs = pcs[:runtime.Callers(1, pcs)]
	m, file := mappingOf(t, os.Getpid(), uint64(pcs[0]))
	var addresses []uint64
	for _, pc := range pcs {
		addresses = append(addresses, uint64(pc)-1)
	}
	p := profileAt(m, addresses...)
	if err := Symbolize(p, file, noPerfMap); err != nil {
		t.Fatal(err)
	}
	frame, _ := runtime.CallersFrames(pcs).Next()
	line := p.Sample[0].Location[0].Line[0]
	if line.Function.Name != frame.Function || line.Function.Filename != frame.File || line.Line != int64(frame.Line) {
		t.Errorf("got %s %s:%d, want %s %s:%d", line.Function.Name, line.Function.Filename, line.Line, frame.Function, frame.File, frame.Line)
	}
	for _, name := range names(p) {
		if name == "runtime.goexit" {
			t.Error("runtime.goexit should not be shown")
		}
	}
}

const cSource = `
#include <stdio.h>
static int __attribute__((noinline)) local_fn(int n) { return n + 1; }
int __attribute__((noinline)) global_fn(int n) { return local_fn(n) * 2; }
int main(int argc, char **argv) { printf("%d\n", global_fn(argc)); return 0; }
`

// Functions of a C program are found in .symtab.
func TestSymbolizeC(t *testing.T) {
	dir := t.TempDir()
	source, program := filepath.Join(dir, "p.c"), filepath.Join(dir, "p")
	if err := os.WriteFile(source, []byte(cSource), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cc", "-O1", "-o", program, source).CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s", err, out)
	}
	out, err := exec.Command("go", "tool", "nm", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"local_fn", "global_fn", "main"} {
		address := symbolAddress(t, string(out), name)
		f := openPath(t, program)
		n := openFile(f, nil)
		// Mapped as the kernel does it, at some base.
		m := &profile.Mapping{ID: 1, Start: 0x7f0000000000, Limit: 0x7f0000010000, File: "/app/p"}
		offset := address
		for _, p := range n.file.Segments {
			if p.Vaddr <= address && address < p.Vaddr+p.Memsz {
				offset = address - p.Vaddr + p.Off
			}
		}
		p := profileAt(m, m.Start+offset+1)
		if err := Symbolize(p, func(*profile.Mapping) *proc.File { return f }, noPerfMap); err != nil {
			t.Fatal(err)
		}
		if got := names(p); !reflect.DeepEqual(got, []string{name}) {
			t.Errorf("got %v, want %s", got, name)
		}
	}
}

func symbolAddress(t *testing.T, nm, name string) uint64 {
	t.Helper()
	for line := range strings.Lines(nm) {
		fields := strings.Fields(line)
		if len(fields) >= 3 && fields[2] == name {
			var address uint64
			for _, c := range fields[0] {
				address = address<<4 | uint64(strings.IndexRune("0123456789abcdef", c))
			}
			return address
		}
	}
	t.Fatalf("no symbol %s", name)
	return 0
}

func openPath(t *testing.T, path string) *proc.File {
	t.Helper()
	self, err := proc.Open(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	f, err := self.OpenInRoot(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestUnknownCode(t *testing.T) {
	m := &profile.Mapping{ID: 1, Start: 0x1000, Limit: 0x5000, Offset: 0x2000, File: "/usr/lib/libfoo.so"}
	p := profileAt(m, 0x1234)
	if err := Symbolize(p, func(*profile.Mapping) *proc.File { return nil }, noPerfMap); err != nil {
		t.Fatal(err)
	}
	if got := names(p); got[0] != "[libfoo.so+0x2234]" {
		t.Errorf("got %v", got)
	}
}

func FuzzSymbolizeELF(f *testing.F) {
	self, err := os.ReadFile("/bin/true")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(self, uint64(0x2000))
	f.Fuzz(func(t *testing.T, data []byte, address uint64) {
		fuzzbudget.Enforce(t)
		path := filepath.Join(t.TempDir(), "elf")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if n := openFile(openPath(t, path), nil); n != nil {
			n.find([]uint64{address})
			n.frames(address)
		}
	})
}

func noPerfMap(*profile.Mapping) *proc.File { return nil }
