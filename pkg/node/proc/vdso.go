//go:build linux

package proc

import (
	"os"
	"sync"
)

// VDSOPath is the path of the vDSO's mapping.
const VDSOPath = "[vdso]"

// maxVDSO bounds the vDSO's size in bytes. It has a few pages.
const maxVDSO = 1 << 20

// VDSO returns the vDSO, an ELF object that the kernel maps into every process. It reads the one in
// this process, which is the same in all. It returns nil if that fails.
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
