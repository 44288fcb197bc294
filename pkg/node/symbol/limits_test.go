//go:build linux

package symbol

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/bounded"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// assemble builds a library with functions of the given names, each of size bytes.
func assemble(t *testing.T, size int, names ...string) (path string) {
	t.Helper()
	var text strings.Builder
	text.WriteString("\t.text\n")
	for _, n := range names {
		fmt.Fprintf(&text, "\t.globl %s\n\t.type %s, %%function\n%s:\n\t.fill %d, 1, 0x90\n\t.size %s, %d\n", n, n, n, size, n, size)
	}
	text.WriteString("\t.section .note.GNU-stack, \"\", %progbits\n")
	dir := t.TempDir()
	source, library := filepath.Join(dir, "a.s"), filepath.Join(dir, "liba.so")
	if err := os.WriteFile(source, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, "cc", "-shared", "-nostdlib", "-o", library, source)
	return library
}

// profileOf returns a profile with a location at each of the n addresses of a function's code.
func profileOf(t *testing.T, library, function string, n int) (*profile.Profile, func(*profile.Mapping) *proc.File) {
	t.Helper()
	f := openPath(t, library)
	o := openFile(f, nil)
	address := functionRange(t, library, function)[0]
	offset := address
	for _, s := range o.file.Segments {
		if s.Vaddr <= address && address < s.Vaddr+s.Filesz {
			offset = address - s.Vaddr + s.Off
		}
	}
	m := &profile.Mapping{ID: 1, Start: 0x7f0000000000, Limit: 0x7f0001000000, File: "/app/liba.so"}
	var addresses []uint64
	for i := range uint64(n) {
		addresses = append(addresses, m.Start+offset+i)
	}
	return profileAt(m, addresses...), func(*profile.Mapping) *proc.File { return f }
}

// A function with a name of almost 4 KiB is sampled at 10,000 addresses. Demangling the name each
// time took minutes.
func TestLongMangledName(t *testing.T) {
	name := hostileName(4000)
	p, file := profileOf(t, assemble(t, 10_000, name), "DpRK", 10_000)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began := threadTime()
	if err := Symbolize(p, file, noPerfMap); err != nil {
		t.Fatal(err)
	}
	if used := threadTime() - began; used > 2*time.Second {
		t.Errorf("took %v of CPU time", used)
	}
	if got := names(p); got[0] != name || got[9_999] != name {
		t.Errorf("got %.40q, want the mangled name", got[0])
	}
	if got := meta.Symbols.Text(p); !strings.HasPrefix(got, "names longer than 1024 bytes") {
		t.Errorf("comment %q", got)
	}
}

// After the deadline, code has the names of its objects, and a comment tells why.
func TestDeadline(t *testing.T) {
	p, file := profileOf(t, assemble(t, 16, "f"), "f", 1)
	generated := &profile.Mapping{ID: 2, Start: 0x1000, Limit: 0x9000, File: "[anon]"}
	l := &profile.Location{ID: 2, Mapping: generated, Address: 0x1010}
	p.Mapping, p.Location = append(p.Mapping, generated), append(p.Location, l)
	p.Sample[0].Location = append(p.Sample[0].Location, l)
	opened := 0
	perfMap := func(*profile.Mapping) *proc.File { opened++; return nil }
	var z Symbolizer
	for range 2 { // the files are counted once
		p.Comments, p.Location[0].Line, l.Line = nil, nil, nil
		z.symbolize(p, p.Location, file, perfMap, func() *deadline { return newDeadline(0, 0) })
	}
	if got := strings.Join(names(p), " "); !strings.HasPrefix(got, "[liba.so+0x") || !strings.HasSuffix(got, "[anon]") || opened > 0 {
		t.Errorf("got %s and %d perf maps were opened", got, opened)
	}
	if got := meta.Symbols.Text(p); !strings.HasSuffix(got, ": object files 1, perf maps 1") {
		t.Errorf("comment %q", got)
	}
}

// A source of names that took long is read again only after a time in which that is a small share.
func TestSourcesThatTakeLongAreReadRarely(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s := schedule{}
	read, began := map[string]int{}, time.Now()
	for ; read["other"] < 3 && time.Since(began) < time.Minute; time.Sleep(time.Millisecond) {
		due := s["slow"]
		s.read("slow", func() {
			if read["slow"]++; time.Now().Before(due) {
				t.Errorf("the slow source is read again %v too early", time.Until(due))
			}
			for began := threadTime(); threadTime() < began+10*time.Millisecond; {
			}
		})
		s.read("other", func() { read["other"]++ })
	}
	if read["slow"] == 0 || read["other"] < 3 {
		t.Errorf("read %v", read)
	}
	if pause := s["slow"].Sub(began); pause < cpuShare*10*time.Millisecond {
		t.Errorf("the slow source is read again after %v", pause)
	}
}

// Locations whose source is not due keep no name until it is. Others get theirs at once.
func TestUpdateNamesWhatIsDue(t *testing.T) {
	p, file := profileOf(t, assemble(t, 16, "f"), "f", 1)
	var z Symbolizer
	z.Update(p, file, noPerfMap)
	if got := names(p)[0]; got != "f" {
		t.Fatalf("got %s", got)
	}
	l := &profile.Location{ID: 2, Mapping: p.Mapping[0], Address: p.Location[0].Address + 1}
	p.Location = append(p.Location, l)
	z.sources[file(p.Mapping[0])] = time.Now().Add(time.Hour)
	z.Update(p, file, noPerfMap)
	if len(l.Line) > 0 || !strings.HasPrefix(UnknownName(l), "[liba.so+0x") {
		t.Errorf("named %v, and %s until it has a name", l.Line, UnknownName(l))
	}
	delete(z.sources, file(p.Mapping[0]))
	z.Update(p, file, noPerfMap)
	if len(l.Line) != 1 || l.Line[0].Function.Name != "f" {
		t.Errorf("got %v", l.Line)
	}
}

// Slices of one profile share its functions.
func TestSlicesShareFunctions(t *testing.T) {
	p, file := profileOf(t, assemble(t, 16, "f"), "f", 1)
	var z Symbolizer
	for i := range 3 {
		z.sources = nil
		z.Update(p, file, noPerfMap)
		l := &profile.Location{ID: uint64(i + 2), Mapping: p.Mapping[0], Address: p.Location[0].Address + uint64(i+1)}
		p.Location = append(p.Location, l)
		p.Sample = []*profile.Sample{{Location: []*profile.Location{l}, Value: []int64{1}}}
	}
	if n := len(p.Function); n != 1 {
		t.Errorf("%d functions, want 1", n)
	}
}

// The deadline passes in the middle of a loop that reads nothing.
func TestDeadlineInALoop(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	d := newDeadline(time.Millisecond, time.Hour)
	steps := 0
	for ; !d.step(); steps++ {
		if steps == 1<<30 {
			t.Fatal("the deadline does not pass")
		}
	}
	if !d.exceeded() || steps%stepsPerCheck != stepsPerCheck-1 {
		t.Errorf("%d steps", steps)
	}
	f := openPath(t, assemble(t, 16, "f"))
	if _, err := (timedFile{f, d}).ReadAt(make([]byte, 1), 0); err != errTimeUp {
		t.Errorf("a read after the deadline: %v", err)
	}
}

// The comments name an object that exceeded its own limits.
func TestObjectsThatCostTooMuchAreNamed(t *testing.T) {
	p, file := profileOf(t, assemble(t, 16, "f"), "f", 1)
	f := file(p.Mapping[0])
	s := &symbolizer{Symbolizer: &Symbolizer{out: bounded.New(p)}, starts: map[*profile.Location]uint64{}}
	for i := range 2 * (maxLimitErrors + 5) { // slices may read each object several times
		s.findFrames(&sampledObject{source: i / 2, locations: p.Location, open: func() *namer {
			n := openFile(f, nil)
			_ = n.file.Step(1 << 40)
			return n
		}})
	}
	s.describe()
	got := meta.Symbols.All(p)
	if len(got) != maxLimitErrors+1 || !strings.Contains(got[0], "liba.so: ") || !strings.HasSuffix(got[maxLimitErrors], ": object files 5") {
		t.Errorf("comments %q", got)
	}
}

// An object on which a library's reader panics is named as well.
func TestMalformedObjectsAreNamed(t *testing.T) {
	p := profileAt(&profile.Mapping{ID: 1, File: "/lib/hostile.so"}, 1)
	s := &symbolizer{Symbolizer: &Symbolizer{out: bounded.New(p)}, starts: map[*profile.Location]uint64{}}
	s.findFrames(&sampledObject{locations: p.Location, open: func() *namer { panic("index out of range") }})
	s.describe()
	if got := meta.Symbols.All(p); len(got) != 1 || !strings.Contains(got[0], "/lib/hostile.so: it is malformed: index out of range") {
		t.Errorf("comments %q", got)
	}
}
