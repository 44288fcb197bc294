package launch

import "testing"

func TestSufficient(t *testing.T) {
	privileged := Options{}
	bpf := Options{Capabilities: true}
	memory := Options{Capabilities: true, MemoryOnly: true}
	for name, c := range map[string]struct {
		kept, wanted Options
		want         bool
	}{
		"privileged, for CPU":                   {privileged, privileged, true},
		"privileged, for memory":                {privileged, memory, true},
		"capabilities for BPF, for CPU":         {bpf, privileged, true},
		"capabilities for BPF, for memory":      {bpf, memory, true},
		"capabilities for memory, for memory":   {memory, memory, true},
		"capabilities for memory only, for CPU": {memory, privileged, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := sufficient(securityContext(c.kept, nil), c.wanted); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
	if sufficient(nil, privileged) {
		t.Error("a container without a security context is sufficient")
	}
}
