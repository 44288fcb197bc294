//go:build linux

package capture

import (
	"slices"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
)

func TestParseSample(t *testing.T) {
	kernel, user := []uint64{0xffffffff81000000}, []uint64{0x1000, 0x1020}
	s, err := parseSample(rawSample(kernel, user, bpf.CPUWalkEndEND_TRUNCATED))
	if err != nil {
		t.Fatal(err)
	}
	if s.program.tgid != 70 || s.tid != 71 || s.pid != 7 || s.comm != "web" || s.end != bpf.CPUWalkEndEND_TRUNCATED ||
		!slices.Equal(s.kernel, kernel) || !slices.Equal(s.user, user) {
		t.Errorf("got %+v", s)
	}
}

// A sample that was cut anywhere is refused, not read beyond its end.
func TestParseSampleThatIsCut(t *testing.T) {
	raw := rawSample([]uint64{1}, []uint64{2, 3}, 0)
	for n := range raw {
		if _, err := parseSample(raw[:n]); err == nil {
			t.Errorf("%d of %d bytes were taken for a sample", n, len(raw))
		}
	}
}
