//go:build linux

package proc

import (
	"bytes"
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Any number of ranges in any order is read. Unreadable ranges are reported and do not affect others.
func TestTryReadMemoryParts(t *testing.T) {
	const pages, page = 64, 4096
	memory, err := unix.Mmap(-1, 0, pages*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(memory)
	for i := range memory {
		memory[i] = byte(i / 7)
	}
	for _, hole := range []int{10, 11, 40} {
		if err := unix.Mprotect(memory[hole*page:(hole+1)*page], unix.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	base := uint64(uintptr(unsafe.Pointer(&memory[0])))
	var parts []MemoryPart
	var want []bool
	add := func(offset, n int) {
		parts = append(parts, MemoryPart{Address: base + uint64(offset), Bytes: make([]byte, n)})
		ok := true
		for at := offset; at < offset+n; at++ {
			if p := at / page; p == 10 || p == 11 || p == 40 {
				ok = false
			}
		}
		want = append(want, ok)
	}
	for i := range 3000 { // upwards, with gaps of all sizes
		add(i*61, 1+i%60)
	}
	for i := range 300 { // downwards
		add((299-i)*800, 700)
	}
	add(39*page+4000, 200) // into a hole
	add(5, 0)
	add(0, 9*page)
	read, err := TryReadMemoryParts(os.Getpid(), parts)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range parts {
		if read[i] != want[i] {
			t.Fatalf("part %d at %d of %d bytes: read %v, want %v", i, p.Address-base, len(p.Bytes), read[i], want[i])
		}
		if offset := p.Address - base; read[i] && !bytes.Equal(p.Bytes, memory[offset:offset+uint64(len(p.Bytes))]) {
			t.Fatalf("part %d has wrong bytes", i)
		}
	}
	if read, err := TryReadMemoryParts(os.Getpid(), []MemoryPart{{Address: 8, Bytes: make([]byte, 8)}}); err != nil || read[0] {
		t.Errorf("unmapped address 8: %v, %v", read, err)
	}
	if _, err := TryReadMemoryParts(1<<30, []MemoryPart{{Address: base, Bytes: make([]byte, 8)}}); err == nil {
		t.Error("no error for a process that does not exist")
	}
}
