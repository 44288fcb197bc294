//go:build linux

package proc

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Registers are registers of a thread in user space.
type Registers struct {
	PC, SP uint64
	LR     uint64 // arm64 only
}

// Word indexes in the register set NT_PRSTATUS: struct user_regs_struct
// (arch/x86/include/asm/user_64.h) and struct user_pt_regs (arch/arm64/include/uapi/asm/ptrace.h)
// of the kernel.
const (
	ntPrstatus = 1 // include/uapi/linux/elf.h

	amd64PC, amd64SP          = 16, 19
	arm64LR, arm64SP, arm64PC = 30, 31, 32
)

// registersOf returns the registers of a thread that the calling thread has stopped with ptrace.
func registersOf(tid int) (Registers, error) {
	var words [34]uint64
	v := unix.Iovec{Base: (*byte)(unsafe.Pointer(&words[0]))}
	v.SetLen(len(words) * 8)
	// The conversion to uintptr must be in the argument list: see rule 4 of unsafe.Pointer.
	if _, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_GETREGSET, uintptr(tid), ntPrstatus, uintptr(unsafe.Pointer(&v)), 0, 0); errno != 0 {
		return Registers{}, errno
	}
	if runtime.GOARCH == "arm64" {
		return Registers{PC: words[arm64PC], SP: words[arm64SP], LR: words[arm64LR]}, nil
	}
	return Registers{PC: words[amd64PC], SP: words[amd64SP]}, nil
}
