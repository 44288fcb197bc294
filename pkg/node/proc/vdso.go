//go:build linux

package proc

import (
	"os"
	"sync"
)

// VDSOPath is the path that the vDSO's mapping has.
const VDSOPath = "[vdso]"

// maxVDSO bounds the vDSO's size: it has a few pages.
const maxVDSO = 1 << 20

// VDSO is the code that the kernel puts into every process: our own, which is the same as everyone's. It is
// an ELF object; nil if it cannot be read.
var VDSO = sync.OnceValue(func() []byte {
	self, err := Open(os.Getpid())
	if err != nil {
		return nil
	}
	mappings, err := self.Mappings()
	if err != nil {
		return nil
	}
	for _, m := range mappings {
		if m.Path != VDSOPath || m.End-m.Start > maxVDSO {
			continue
		}
		memory, err := os.Open("/proc/self/mem")
		if err != nil {
			return nil
		}
		defer memory.Close()
		code := make([]byte, m.End-m.Start)
		if _, err := memory.ReadAt(code, int64(m.Start)); err != nil {
			return nil
		}
		return code
	}
	return nil
})
