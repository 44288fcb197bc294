package unwind

import (
	"bytes"
	"debug/elf"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/ehframe"
)

// The code that a signal handler returns to. It calls rt_sigreturn, whose number is in a register
// (arch/x86/entry/syscalls/syscall_64.tbl; include/uapi/asm-generic/unistd.h).
var (
	sigreturnAMD64 = []byte{0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05}      // mov $15, %rax; syscall
	sigreturnARM64 = []byte{0x68, 0x11, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4} // mov x8, #139; svc #0
)

// maxSearched is the limit on the code of an object that is searched, in bytes. C libraries have 2 MB.
const maxSearched = 16 << 20

// signalTrampolines finds the code that signal handlers return to. It has no description in C
// libraries without unwind information and in arm64's vDSO.
func signalTrampolines(f *object.File, a *arch) (all []described, _ error) {
	pattern := sigreturnAMD64
	if a == arm64 {
		pattern = sigreturnARM64
	}
	const window = 256 << 10
	buffer := make([]byte, window+len(pattern))
	left := uint64(maxSearched)
	for _, p := range f.Segments {
		if p.Type != elf.PT_LOAD || p.Flags&elf.PF_X == 0 || p.Filesz > left {
			continue
		}
		left -= p.Filesz
		for at := uint64(0); at < p.Filesz; at += window {
			n, _ := p.ReadAt(buffer, int64(at))
			if i := bytes.Index(buffer[:n], pattern); i >= 0 {
				start := p.Vaddr + at + uint64(i)
				all = append(all, signalFunction(start, start+uint64(len(pattern))))
			}
		}
	}
	return all, nil
}

// signalFunction describes code that a signal handler returns to. It begins a byte early: the
// handler returns to the first instruction, and the address before a return address is what is
// looked up.
func signalFunction(start, end uint64) described {
	return described{start - 1, end, func(emit func(uint64, Rule)) { emit(start-1, Rule{CFA: Signal}) }}
}

// CompileVDSO returns the rows of the code that the kernel maps into every process. That of arm64
// may have no unwind information; its functions call no others and put nothing on the stack.
func CompileVDSO(f *object.File, rules *RuleSet) (*Table, error) {
	t, err := Compile(f, rules)
	if err != nil || f.Machine != elf.EM_AARCH64 || f.Section(".eh_frame") != nil {
		return t, err
	}
	all, err := signalTrampolines(f, arm64)
	if err != nil {
		return nil, err
	}
	for _, p := range f.CodeSegments() {
		at := p.Vaddr
		for _, trampoline := range all {
			if trampoline.start > at {
				all = append(all, arm64.leaf(at, trampoline.start))
			}
			at = trampoline.end
		}
		if end := p.Vaddr + p.Filesz; end > at {
			all = append(all, arm64.leaf(at, end))
		}
	}
	return newTable(f, ehframe.Parse(nil, 0, arm64.Registers), all, rules)
}
