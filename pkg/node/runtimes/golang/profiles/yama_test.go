//go:build linux

package profiles

import (
	"strings"
	"testing"
)

func TestWhyRefused(t *testing.T) {
	for scope, want := range map[string]string{"": "CAP_SYS_PTRACE", "1": "CAP_SYS_PTRACE", "3": "kernel.yama.ptrace_scope=3"} {
		if got := whyRefused(scope); !strings.Contains(got, want) {
			t.Errorf("%q: %s", scope, got)
		}
	}
}
