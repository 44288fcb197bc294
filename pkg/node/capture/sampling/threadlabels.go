//go:build linux

package sampling

import (
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// addThread adds a sample's thread as the first labels, before those of the goroutine, and makes group, which is equal for
// equal labels, differ between threads. A thread that changes its name appears under both names.
func addThread(s *record.Sample, group string, labels []record.Label) (string, []record.Label) {
	thread := []record.Label{{Key: meta.ThreadLabel.Name(), Value: strings.ToValidUTF8(s.Comm, "\uFFFD")}}
	if s.OwnTID != 0 {
		thread = append(thread, record.Label{Key: meta.TIDLabel.Name(), Number: int64(s.OwnTID)})
	}
	return group + strconv.Quote(s.Comm) + strconv.FormatUint(uint64(s.OwnTID), 10), slices.Concat(thread, labels)
}
