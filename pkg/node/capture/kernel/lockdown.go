//go:build linux

package kernel

import (
	"sync"
	_ "unsafe" // for go:linkname
)

// haveProbeReadKernel is cilium/ebpf's own probe for Linux 5.5. Where it fails the library takes the
// kernel for an older one and replaces bpf_probe_read_user, which is allowed under
// lockdown=confidentiality, by bpf_probe_read, which is not. It has no option to leave that.
//
//go:linkname haveProbeReadKernel github.com/cilium/ebpf.haveProbeReadKernel
var haveProbeReadKernel func() error

var keepOnce sync.Once

// KeepProbeReadUser makes cilium/ebpf leave our helpers as they are. All kernels that we support have
// bpf_probe_read_user (5.5).
func KeepProbeReadUser() {
	keepOnce.Do(func() { haveProbeReadKernel = func() error { return nil } })
}
