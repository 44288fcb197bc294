//go:build linux

package kernel

import (
	"sync"
	_ "unsafe" // for go:linkname
)

// haveProbeReadKernel is the probe of cilium/ebpf for Linux 5.5
// (https://github.com/cilium/ebpf/blob/v0.22.0/syscalls.go#L278, used by fixupProbeReadKernel in linker.go). Where it fails the
// library takes the kernel for an older one and replaces bpf_probe_read_user, which lockdown=confidentiality allows, with
// bpf_probe_read, which it does not. The library has no option against that.
//
//go:linkname haveProbeReadKernel github.com/cilium/ebpf.haveProbeReadKernel
var haveProbeReadKernel func() error

var keepOnce sync.Once

// KeepProbeReadUser makes cilium/ebpf leave our helpers as they are. All kernels that we support have
// bpf_probe_read_user (5.5).
func KeepProbeReadUser() {
	keepOnce.Do(func() { haveProbeReadKernel = func() error { return nil } })
}
