//go:build linux

package waits

import (
	"slices"
	"testing"
)

// The frames up to and including __schedule are removed, whatever they are. A stack without __schedule is unchanged.
func TestTrimTraceFrames(t *testing.T) {
	for _, c := range []struct {
		name        string
		stack, want []uint64
	}{
		{"program, tracepoint, __schedule", []uint64{900, 910, 150, 300, 400}, []uint64{300, 400}},
		{"the call is the last instruction", []uint64{900, 200, 300}, []uint64{300}},
		{"return address in the preceding function", []uint64{900, 100, 300}, []uint64{900, 100, 300}},
		{"deeper than maxTraceFrames", []uint64{1, 2, 3, 4, 5, 6, 7, 8, 150}, []uint64{1, 2, 3, 4, 5, 6, 7, 8, 150}},
		{"empty", nil, nil},
	} {
		if got := trimTraceFrames(c.stack, 100, 200); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
