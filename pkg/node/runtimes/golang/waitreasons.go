//go:build linux

package golang

import "encoding/binary"

// The first entries of runtime.waitReasonStrings (runtime/runtime2.go) are the same in all versions:
// an empty one, then these.
const firstReason, secondReason = "GC assist marking", "IO wait"

// Bounds on the wait reasons. Go 1.26 and 1.27 have 47; the longest has 29 bytes.
const (
	maxReasons     = 96
	maxReasonBytes = 64
)

// readWaitReasons reads the array runtime.waitReasonStrings, indexed by runtime.waitReason. The
// numbers differ between versions of Go. It stops at the first entry that is not a printable
// string, and returns nil if the first entries are not the expected ones; goroutines then have no
// wait reason.
func (r *Runtime) readWaitReasons(array uint64) []string {
	all := []string{""}
	for len(all) < maxReasons {
		var header [16]byte // of a string: address and length
		if r.read(array+uint64(16*len(all)), header[:]) != nil {
			break
		}
		n := binary.LittleEndian.Uint64(header[8:])
		if n == 0 || n > maxReasonBytes {
			break
		}
		text := make([]byte, n)
		if r.read(binary.LittleEndian.Uint64(header[:]), text) != nil || !isPrintable(text) {
			break
		}
		all = append(all, string(text))
	}
	if len(all) < 3 || all[1] != firstReason || all[2] != secondReason {
		return nil
	}
	return all
}

func isPrintable(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}
