//go:build linux

package kernel

import "testing"

// KeepProbeReadUser replaces a variable of cilium/ebpf. When the library renames it, a go:linkname without a definition
// leaves ours nil.
func TestLibraryHasItsProbe(t *testing.T) {
	if haveProbeReadKernel == nil {
		t.Fatal("github.com/cilium/ebpf.haveProbeReadKernel is gone: find what decides now on replacing bpf_probe_read_user (fixupProbeReadKernel)")
	}
}
