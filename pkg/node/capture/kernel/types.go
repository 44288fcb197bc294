//go:build linux

package kernel

import (
	"sync"
	"time"

	"github.com/cilium/ebpf/btf"
)

// typesLifetime is how long the kernel's types are kept after they were last used: programs are loaded
// one after the other, and then none for a long time.
const typesLifetime = 5 * time.Second

var types struct {
	sync.Mutex
	cache  *btf.Cache
	forget *time.Timer
}

// Types returns the kernel's types (BTF) for loading programs. Reading them takes some 20 ms and
// 5 MB, so loads that follow each other share them.
func Types() *btf.Cache {
	types.Lock()
	defer types.Unlock()
	if types.cache == nil {
		types.cache = btf.NewCache()
		types.forget = time.AfterFunc(typesLifetime, func() {
			types.Lock()
			defer types.Unlock()
			types.cache = nil
		})
	}
	types.forget.Reset(typesLifetime)
	return types.cache
}
