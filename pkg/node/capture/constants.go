//go:build linux

package capture

import (
	"fmt"

	"github.com/cilium/ebpf"
)

// setVariables sets the programs' constants, which the verifier then sees.
func setVariables(spec *ebpf.CollectionSpec, values map[string]any) error {
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

func boolean(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}
