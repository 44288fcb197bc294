//go:build linux

package main

import (
	"encoding/binary"
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

const pageSize = 4096

// spin returns machine code that counts down for some 30 ms and returns. Its loop has that many
// instructions that do nothing, so that samples have that many different addresses.
func spin(nops int) []byte {
	iterations := uint32(100e6 / (1 + nops/4))
	if runtime.GOARCH == "arm64" {
		code := []uint32{0xd2800000 | iterations&0xffff<<5, 0xf2a00000 | iterations>>16<<5} // mov, movk x0
		for range nops {
			code = append(code, 0xd503201f) // nop
		}
		back := uint32(-(nops + 1)) & 0x7ffff
		return words(append(code, 0xf1000400, 0x54000001|back<<5, 0xd65f03c0)) // subs x0, 1; b.ne; ret
	}
	code := binary.LittleEndian.AppendUint32([]byte{0xb8}, iterations) // mov eax
	for range nops {
		code = append(code, 0x90) // nop
	}
	code = append(code, 0xff, 0xc8, 0x0f, 0x85) // dec eax; jnz
	return append(binary.LittleEndian.AppendUint32(code, uint32(-(nops+2+6))), 0xc3)
}

func words(all []uint32) (b []byte) {
	for _, w := range all {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

// call calls code in memory. A Go function value is a pointer to a pointer to the code.
func call(at uintptr) {
	entry := &at
	f := *(*func())(unsafe.Pointer(&entry))
	f()
}

// mapAnonymous maps code that no file contains, as a JIT compiler does.
func mapAnonymous() (uintptr, error) {
	page, err := syscall.Mmap(-1, 0, pageSize, syscall.PROT_READ|syscall.PROT_WRITE|syscall.PROT_EXEC, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		return 0, err
	}
	copy(page, spin(0))
	return uintptr(unsafe.Pointer(&page[0])), nil
}

// mapCode maps a page of code from a file.
func mapCode(f *os.File, offset int64) (uintptr, error) {
	page, err := syscall.Mmap(int(f.Fd()), offset, pageSize, syscall.PROT_READ|syscall.PROT_EXEC, syscall.MAP_PRIVATE)
	if err != nil {
		return 0, err
	}
	return uintptr(unsafe.Pointer(&page[0])), nil
}
