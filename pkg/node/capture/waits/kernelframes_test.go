//go:build linux

package waits

import (
	"slices"
	"testing"
)

// The frames above the scheduler's go, whichever they are; a stack without it stays.
func TestWithoutTrace(t *testing.T) {
	for _, c := range []struct {
		name        string
		stack, want []uint64
	}{
		{"program, tracepoint, __schedule", []uint64{900, 910, 150, 300, 400}, []uint64{300, 400}},
		{"the call is the last instruction", []uint64{900, 200, 300}, []uint64{300}},
		{"the function before", []uint64{900, 100, 300}, []uint64{900, 100, 300}},
		{"deeper", []uint64{1, 2, 3, 4, 5, 6, 7, 8, 150}, []uint64{1, 2, 3, 4, 5, 6, 7, 8, 150}},
		{"none", nil, nil},
	} {
		if got := withoutTracing(c.stack, 100, 200); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
