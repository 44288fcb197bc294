//go:build linux

package kernel

import (
	"fmt"

	"github.com/cilium/ebpf"
)

// SetVariables sets constants of the BPF programs, which must not have been loaded yet.
func SetVariables(spec *ebpf.CollectionSpec, values map[string]any) error {
	for name, value := range values {
		v := spec.Variables[name]
		if v == nil {
			return fmt.Errorf("the BPF object has no variable %s", name)
		}
		if err := v.Set(value); err != nil {
			return fmt.Errorf("BPF variable %s: %w", name, err)
		}
	}
	return nil
}

// Bool returns the value of a C bool.
func Bool(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}
