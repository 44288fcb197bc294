//go:build linux

package capture

import (
	"slices"
	"strconv"
	"strings"
)

// addThread puts a sample's thread before the labels that its goroutine has, and makes the text that is equal
// for equal labels differ for different threads. A thread may change its name: then it has both.
func addThread(s *sample, group string, labels []label) (string, []label) {
	thread := []label{{key: "thread", value: strings.ToValidUTF8(s.comm, "\uFFFD")}}
	if s.ownTID != 0 {
		thread = append(thread, label{key: "tid", number: int64(s.ownTID)})
	}
	return group + strconv.Quote(s.comm) + strconv.FormatUint(uint64(s.ownTID), 10), slices.Concat(thread, labels)
}
