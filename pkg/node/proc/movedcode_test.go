//go:build linux

package proc

import (
	"encoding/json"
	"os"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// Code in anonymous memory is a file's if it is where the file would be mapped and has its content.
// No file is opened after the time for that has passed.
func TestFindMovedCode(t *testing.T) {
	need.Root(t)
	const size = 64 << 10
	memory, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(memory)
	p, err := Open(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	mappings, err := p.Mappings()
	if err != nil {
		t.Fatal(err)
	}
	code := mappings[0] // the test's own
	if err := ReadMemory(p.PID, code.Start, memory); err != nil {
		t.Fatal(err)
	}
	start := uint64(uintptr(unsafe.Pointer(unsafe.SliceData(memory))))
	file := code // as if it were mapped so that its code began where the memory is
	file.Start, file.End = start, start+(code.End-code.Start)
	find := func(until time.Time) Mapping {
		l := &mappingList{all: []Mapping{{Start: start, End: start + size, Exec: true}}, files: map[int]*neighbors{0: {before: file}}}
		p.findMovedCode(l, until)
		return l.all[0]
	}

	got := find(time.Now().Add(time.Minute))
	if want := (Mapping{
		Start: start, End: start + size, Exec: true, Offset: code.Offset, Dev: code.Dev, Inode: code.Inode, Path: code.Path,
		Neighbor: AddressRange{file.Start, file.End},
	}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	var received Mapping
	if text, err := json.Marshal(got); err != nil || json.Unmarshal(text, &received) != nil || received != got {
		t.Errorf("the guard of a program's memory receives %+v (%v), want %+v", received, err, got)
	}
	if late := find(time.Now()); late.Inode != 0 {
		t.Errorf("found after the time has passed: %+v", late)
	}
	for i := range memory[:size/2] {
		memory[i]++
	}
	if changed := find(time.Now().Add(time.Minute)); changed.Inode != 0 {
		t.Errorf("memory with other content counts as moved code: %+v", changed)
	}
}
