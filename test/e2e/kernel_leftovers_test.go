//go:build linux

package e2e

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/cilium/ebpf"
)

// expectKernelClean checks when the test ends that no more BPF programs and maps are loaded than
// when it began, and that nothing is pinned.
func expectKernelClean(t *testing.T) {
	t.Helper()
	if !onThisMachine {
		t.Log("the node is another machine: its BPF programs and maps are not counted")
		return
	}
	programs, maps := count(t, ebpf.ProgramGetNextID), count(t, ebpf.MapGetNextID)
	t.Cleanup(func() {
		eventually(t, 2*time.Minute, "BPF programs and maps to be gone", func() (bool, string) {
			p, m := count(t, ebpf.ProgramGetNextID), count(t, ebpf.MapGetNextID)
			return p <= programs && m <= maps, fmt.Sprintf("%d programs and %d maps, before %d and %d", p, m, programs, maps)
		})
		if pinned, err := os.ReadDir("/sys/fs/bpf"); err == nil && len(pinned) > 0 {
			t.Errorf("pinned in the BPF file system: %v", pinned)
		}
	})
}

// count counts the IDs that next enumerates until it returns an error.
func count[ID ~uint32](t *testing.T, next func(ID) (ID, error)) (n int) {
	t.Helper()
	for id, err := next(0); err == nil; id, err = next(id) {
		n++
	}
	return n
}
