//go:build linux

package golang

import (
	"debug/elf"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/gopclntab"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes"
)

// Language is Go as sampling sees it. It implements runtimes.Runtime.
type Language struct{}

// DescribeToBPF sets the offsets in runtime.m and runtime.g by which the unwinder finds the current goroutine.
func (Language) DescribeToBPF(f *object.File, p *bpf.CPUUnwindProcess) bool {
	info, err := f.GoBuildInfo()
	if err != nil || f.Class != elf.ELFCLASS64 {
		return false
	}
	minor, l, err := checkVersion(info.GoVersion)
	if err != nil || minor > newestMinor() { // there is no process to check the layout with
		return false
	}
	p.Go = bpfLayout(minor, l)
	p.Go.TlsOffset = tlsOffset(f)
	return true
}

// firstLabelList is the minor number of the first Go 1.x in which a goroutine's labels are a list.
// They were a map before (runtime/pprof/label.go).
const firstLabelList = 24

// bpfLayout returns the part of a layout that the BPF program needs. It does not depend on the object.
func bpfLayout(minor int, l layout) bpf.CPUGoLayout {
	b := bpf.CPUGoLayout{
		M_curg: uint16(l.m.curg), M_gsignal: uint16(l.m.gsignal), G_labels: uint16(l.g.labels),
		SchedLr: uint16(l.g.sched + l.gobuf.lr), SchedBp: uint16(l.g.sched + l.gobuf.bp),
	}
	if minor < firstLabelList {
		b.LabelsAreMap = 1
	}
	return b
}

// OpenCode returns the code of a Go program by its function table.
func (Language) OpenCode(f *object.File) runtimes.Code {
	table, err := gopclntab.Open(f)
	if err != nil || f.Class != elf.ELFCLASS64 {
		return nil
	}
	return code{table}
}

// code is a Go program's code.
type code struct{ table *gopclntab.Table }

func (c code) StackDelta(offset uint64) (int32, bool) {
	address, ok := c.table.Address(offset)
	if !ok {
		return 0, false
	}
	delta, err := c.table.StackDelta(address)
	return delta, err == nil
}

// maxTLSAlign bounds the alignment that a program may ask for its thread-local variables.
const maxTLSAlign = 4096

// tlsOffset returns the offset of a program's thread-local variable for the current g from the
// thread pointer (ELF Handling For Thread-Local Storage, sections 3.4.6 and 3.4.3). If the program
// has other thread-local variables, the symbol is needed. It returns 0 if the variable is not
// found; g is then known only where Go's own code has it in a register.
func tlsOffset(f *object.File) int32 {
	var tls *elf.Prog
	for _, p := range f.Segments {
		if p.Type == elf.PT_TLS {
			tls = p
		}
	}
	const word = 8
	if tls == nil {
		// Go's own linker: the word below the thread pointer (runtime·settls, runtime/sys_linux_amd64.s). On arm64
		// g is in a register only.
		if f.Machine == elf.EM_AARCH64 {
			return 0
		}
		return -word
	}
	if tls.Memsz > 1<<20 || tls.Align > maxTLSAlign {
		return 0
	}
	within := uint64(0)
	if tls.Memsz != word {
		found := false
		for s := range f.Symbols(elf.SHT_SYMTAB) {
			if s.Type != elf.STT_TLS {
				continue
			}
			if name := s.Name(); name == "runtime.tlsg" || name == "runtime.tls_g" {
				within, found = s.Value, true
				break
			}
		}
		if !found || within > tls.Memsz-word {
			return 0
		}
	}
	align := max(tls.Align, 1)
	if f.Machine == elf.EM_AARCH64 { // variant I: behind two words of the thread library
		return int32((2*word+align-1)/align*align + within)
	}
	size := (tls.Memsz + align - 1) / align * align // variant II: below the thread pointer
	return int32(within) - int32(size)
}
