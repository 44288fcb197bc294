//go:build linux

package unwindmaps

import (
	"debug/buildinfo"
	"debug/elf"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang"
)

// goLayouts has the offsets in structures of Go's runtime that differ between versions, by the minor number
// of Go 1.x. They are equal on amd64 and arm64. Source: the DWARF of programs built with each version, for types
// runtime.m, runtime.g and runtime.gobuf (runtime/runtime2.go).
var goLayouts = map[int]bpf.CPUGoLayout{
	20: {M_curg: 192, M_gsignal: 80, G_labels: 360, SchedLr: 96, SchedBp: 104, LabelsAreMap: 1},
	21: {M_curg: 192, M_gsignal: 80, G_labels: 344, SchedLr: 96, SchedBp: 104, LabelsAreMap: 1},
	22: {M_curg: 192, M_gsignal: 80, G_labels: 344, SchedLr: 96, SchedBp: 104, LabelsAreMap: 1},
	23: {M_curg: 192, M_gsignal: 80, G_labels: 352, SchedLr: 96, SchedBp: 104, LabelsAreMap: 1},
	24: {M_curg: 192, M_gsignal: 80, G_labels: 352, SchedLr: 96, SchedBp: 104},
	25: {M_curg: 184, M_gsignal: 72, G_labels: 344, SchedLr: 88, SchedBp: 96},
	26: {M_curg: 184, M_gsignal: 72, G_labels: 352, SchedLr: 88, SchedBp: 96},
}

// goLayoutOf gives the layout of the program's Go runtime; all zero if it is none or not known.
func goLayoutOf(f *object.File) (layout bpf.CPUGoLayout) {
	info, err := buildinfo.Read(f)
	if err != nil {
		return layout
	}
	layout, ok := goLayouts[golang.MinorVersion(info.GoVersion)]
	if !ok || !golang.HasKnownLayout(info.GoVersion) {
		return bpf.CPUGoLayout{}
	}
	layout.TlsOffset = tlsOffset(f)
	return layout
}

// tlsOffset is where a program's thread-local variable for the current g is, from the thread pointer (ELF
// Handling For Thread-Local Storage, sections 3.4.6 and 3.4.3). It mostly is the only one; else its symbol is needed.
// 0 if it cannot be found: g is then known only where Go's own code has it in a register.
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
	if tls.Memsz > 1<<20 || tls.Align > pageSize {
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
