//go:build linux

package golang

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
)

// The offsets for the BPF program are those that DWARF of programs built with each version has: of
// runtime.m and runtime.g, and of runtime.gobuf within runtime.g.
func TestBPFLayout(t *testing.T) {
	want := map[int]bpf.CPUGoLayout{
		18: {M_curg: 192, M_gsignal: 80, G_labels: 360, SchedLr: 96, SchedBp: 104, LabelsAreMap: 1},
		19: {M_curg: 192, M_gsignal: 80, G_labels: 360, SchedLr: 96, SchedBp: 104, LabelsAreMap: 1},
		20: {M_curg: 192, M_gsignal: 80, G_labels: 360, SchedLr: 96, SchedBp: 104, LabelsAreMap: 1},
		21: {M_curg: 192, M_gsignal: 80, G_labels: 344, SchedLr: 96, SchedBp: 104, LabelsAreMap: 1},
		22: {M_curg: 192, M_gsignal: 80, G_labels: 344, SchedLr: 96, SchedBp: 104, LabelsAreMap: 1},
		23: {M_curg: 192, M_gsignal: 80, G_labels: 352, SchedLr: 96, SchedBp: 104, LabelsAreMap: 1},
		24: {M_curg: 192, M_gsignal: 80, G_labels: 352, SchedLr: 96, SchedBp: 104},
		25: {M_curg: 184, M_gsignal: 72, G_labels: 344, SchedLr: 88, SchedBp: 96},
		26: {M_curg: 184, M_gsignal: 72, G_labels: 352, SchedLr: 88, SchedBp: 96},
	}
	for minor, w := range want {
		if diff := cmp.Diff(w, bpfLayout(minor, layouts[minor])); diff != "" {
			t.Errorf("go1.%d (-want +got):\n%s", minor, diff)
		}
	}
}
