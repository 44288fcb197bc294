//go:build linux

package profiles

import (
	"testing"
)

// Malformed records in the ring are not taken for samples.
func TestParseThreadSample(t *testing.T) {
	for n := range 200 {
		for _, fill := range []byte{0, 1, 0xff} {
			b := make([]byte, n)
			for i := range b {
				b[i] = fill
			}
			if s, ok := parseThreadSample(b); ok && len(s.stack) > n {
				t.Errorf("%d bytes have a stack of %d", n, len(s.stack))
			}
		}
	}
}
