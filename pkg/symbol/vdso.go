package symbol

import (
	"bytes"
	"os"
	"sync"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/proc"
)

// maxVDSO bounds the vDSO's size: it has a few pages.
const maxVDSO = 1 << 20

// vdso is the code that the kernel puts into every process; nil if it cannot be read.
func vdso() *object {
	code := vdsoCode()
	if code == nil {
		return nil
	}
	return newObject(bytes.NewReader(code))
}

// vdsoCode reads our own vDSO, which is the same as everyone's.
var vdsoCode = sync.OnceValue(func() []byte {
	self, err := proc.Open(os.Getpid())
	if err != nil {
		return nil
	}
	mappings, err := self.Mappings()
	if err != nil {
		return nil
	}
	for _, m := range mappings {
		if m.Path != vdsoFile || m.End-m.Start > maxVDSO {
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
