//go:build linux

package record

import (
	"slices"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record/recordtest"
)

func TestParseSample(t *testing.T) {
	kernel, user := []uint64{0xffffffff81000000}, []uint64{0x1000, 0x1020}
	s, err := ParseSample(recordtest.Sample(kernel, user, bpf.CPUWalkEndEND_TRUNCATED))
	if err != nil {
		t.Fatal(err)
	}
	if s.Process.TGID != 70 || s.TID != 71 || s.PID != 7 || s.Comm != "web" || s.End != bpf.CPUWalkEndEND_TRUNCATED ||
		!slices.Equal(s.Kernel, kernel) || !slices.Equal(s.User, user) {
		t.Errorf("got %+v", s)
	}
}

// A sample that is cut anywhere is refused and not read beyond its end.
func TestParseSampleRefusesCutRecords(t *testing.T) {
	raw := recordtest.Sample([]uint64{1}, []uint64{2, 3}, 0)
	for n := range raw {
		if _, err := ParseSample(raw[:n]); err == nil {
			t.Errorf("%d of %d bytes were taken for a sample", n, len(raw))
		}
	}
}
