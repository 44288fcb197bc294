package unwind

import (
	"bytes"
	"debug/elf"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
)

// The code to which the kernel lets a signal handler return: rt_sigreturn, with its number in the register for
// it (arch/x86/entry/syscalls/syscall_64.tbl; include/uapi/asm-generic/unistd.h).
var (
	sigreturnAMD64 = []byte{0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05}      // mov $15, %rax; syscall
	sigreturnARM64 = []byte{0x68, 0x11, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4} // mov x8, #139; svc #0
)

// maxSearched bounds the code that is searched, in bytes: C libraries have 2 MB.
const maxSearched = 16 << 20

// signalTrampolines finds the code that nothing describes in C libraries without unwind information and in
// arm64's vDSO.
func signalTrampolines(f *object.File, a *arch) []function {
	pattern := sigreturnAMD64
	if a == arm64 {
		pattern = sigreturnARM64
	}
	var all []function
	for _, p := range f.Segments {
		if p.Type != elf.PT_LOAD || p.Flags&elf.PF_X == 0 || p.Filesz > maxSearched {
			continue
		}
		const window = 256 << 10
		buffer := make([]byte, window+len(pattern))
		for at := uint64(0); at < p.Filesz; at += window {
			n, _ := f.ReadAt(buffer[:min(uint64(len(buffer)), p.Filesz-at)], int64(p.Off+at))
			if i := bytes.Index(buffer[:n], pattern); i >= 0 {
				// A handler returns to its first instruction, and a return address is looked up as the end of
				// the call before it.
				start := p.Vaddr + at + uint64(i)
				all = append(all, function{start - 1, start + uint64(len(pattern)), func(emit func(uint64, Rule)) error {
					emit(start-1, Rule{CFA: Signal})
					return nil
				}})
			}
		}
	}
	return all
}

// CompileVDSO gives the rows of the code that the kernel puts into every process. arm64's says nothing of
// itself: its functions call none and put nothing on the stack.
func CompileVDSO(f *object.File, rules *RuleSet) (*Table, error) {
	t, err := Compile(f, rules)
	if err != nil || f.Machine != elf.EM_AARCH64 || f.Section(".eh_frame") != nil {
		return t, err
	}
	all := signalTrampolines(f, arm64)
	for _, p := range f.Segments {
		if p.Type != elf.PT_LOAD || p.Flags&elf.PF_X == 0 {
			continue
		}
		at := p.Vaddr
		leaf := func(end uint64) {
			start := at
			if end > start {
				all = append(all, function{start, end, func(emit func(uint64, Rule)) error {
					emit(start, arm64.frameless(0))
					return nil
				}})
			}
		}
		for _, s := range all {
			leaf(s.start)
			at = s.end
		}
		leaf(p.Vaddr + p.Filesz)
	}
	return compile(all, rules)
}
