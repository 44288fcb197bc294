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
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

func TestParseKallsyms(t *testing.T) {
	const list = "ffff0000 T _text\nffff0010 t first\nffff0010 T first_alias\nffff0020 D data\nffff0030 W second\nfffe0000 t mod_fn\t[mod]\nbroken\n"
	got, err := parseKallsyms(strings.NewReader(list), []uint64{0xfffe0008, 0xffff0010, 0xffff0011, 0xffff0025, 0xffff0099})
	if err != nil {
		t.Fatal(err)
	}
	want := map[uint64]kernelSymbol{
		0xfffe0008: {"mod_fn", "mod"}, 0xffff0010: {"first", ""}, 0xffff0011: {"first", ""},
		0xffff0025: {"first", ""}, 0xffff0099: {"second", ""},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestKallsymsHidden(t *testing.T) {
	got, err := parseKallsyms(strings.NewReader("0000000000000000 T _text\n0000000000000000 t first\n"), []uint64{0xffff0010})
	if err != nil || len(got) != 0 {
		t.Errorf("got %v, %v; want nothing", got, err)
	}
}

// profileAt is an unsymbolized profile with one sample of the given places of the file.
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

// mappingOf finds where this process has the file with the given address mapped.
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

// A Go program's own addresses get the names, files and lines that the runtime knows.
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

// A C program's functions are found by .symtab; stripped, by what .dynsym has, else by offset.
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
		o := openFile(f)
		// As the kernel would map it: the file's own numbering moved by some base.
		m := &profile.Mapping{ID: 1, Start: 0x7f0000000000, Limit: 0x7f0000010000, File: "/app/p"}
		offset := address
		for _, p := range o.file.Segments {
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

func TestDemangling(t *testing.T) {
	for name, want := range map[string]string{"_ZN3foo3barEi": "foo::bar(int)", "_RNvC6_123foo3bar": "123foo::bar", "plain": "plain"} {
		if got := demangled(name); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A name in which every part refers twice to the part before it must not be written out.
func TestDemanglingIsBounded(t *testing.T) {
	name := "_Z1f1AIiiE"
	for _, part := range []string{"S_", "S0_", "S1_", "S2_", "S3_", "S4_", "S5_", "S6_", "S7_", "S8_", "S9_", "SA_", "SB_", "SC_", "SD_"} {
		name += "S_I" + part + part + "E"
	}
	if got := len(demangled(name)); got > 4<<10 {
		t.Errorf("%d bytes of a symbol became %d", len(name), got)
	}
}

// The kernel's symbols of this machine: the address of a function that every kernel has.
func TestKernelSymbolsOfThisMachine(t *testing.T) {
	need.Root(t) // others see no addresses in /proc/kallsyms
	text, err := os.ReadFile("/proc/kallsyms")
	if err != nil {
		t.Fatal(err)
	}
	address := symbolAddress(t, string(text), "schedule")
	got, err := readKallsyms([]uint64{address + 1})
	if err != nil || got[address+1].name != "schedule" {
		t.Errorf("got %v, %v", got, err)
	}
}

func FuzzSymbolizeELF(f *testing.F) {
	self, err := os.ReadFile("/bin/true")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(self, uint64(0x2000))
	f.Fuzz(func(t *testing.T, data []byte, address uint64) {
		path := filepath.Join(t.TempDir(), "elf")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if o := openFile(openPath(t, path)); o != nil {
			o.find([]uint64{address})
			o.frames(address)
		}
	})
}

func noPerfMap(*profile.Mapping) *proc.File { return nil }
