//go:build linux

package proc

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Places in what the kernel calls NT_PRSTATUS: struct user_regs_struct (arch/x86/include/asm/user_64.h) and struct
// user_pt_regs (arch/arm64/include/uapi/asm/ptrace.h).
const (
	prstatus = 1

	amd64PC, amd64SP          = 16, 19
	arm64LR, arm64SP, arm64PC = 30, 31, 32
)

// registersOf gives those of a thread that the calling one has stopped.
func registersOf(tid int) (Registers, error) {
	var words [34]uint64
	v := unix.Iovec{Base: (*byte)(unsafe.Pointer(&words[0]))}
	v.SetLen(len(words) * 8)
	// The conversion has to be here, for the stack may move at any other call.
	if _, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_GETREGSET, uintptr(tid), prstatus, uintptr(unsafe.Pointer(&v)), 0, 0); errno != 0 {
		return Registers{}, errno
	}
	if runtime.GOARCH == "arm64" {
		return Registers{PC: words[arm64PC], SP: words[arm64SP], LR: words[arm64LR]}, nil
	}
	return Registers{PC: words[amd64PC], SP: words[amd64SP]}, nil
}
