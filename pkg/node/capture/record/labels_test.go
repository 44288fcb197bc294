//go:build linux

package record

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record/recordtest"
	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

func TestLabels(t *testing.T) {
	long := strings.Repeat("ä", 100)
	cases := []struct {
		name  string
		pairs []string
		want  []Label
	}{
		{"none", nil, nil},
		{"one", []string{"request", "slow"}, []Label{{Key: "request", Value: "slow"}}},
		{"two", []string{"a", "1", "b", ""}, []Label{{Key: "a", Value: "1"}, {Key: "b"}}},
		{"no key", []string{"", "1"}, nil},
		{"longer than the record's field", []string{"k", long}, []Label{{Key: "k", Value: long[:80] + "…"}}},
		{"cut within a character", []string{"k", "x" + long}, []Label{{Key: "k", Value: "x" + long[:78] + "…"}}},
		{"not UTF-8", []string{"k", "\xff\x00"}, []Label{{Key: "k", Value: "\uFFFD\x00"}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var sets LabelSets
			if err := sets.Add(recordtest.Labels(7, c.pairs...)); err != nil {
				t.Fatal(err)
			}
			if _, all := sets.Match(&Sample{TID: 8, Labels: bpf.CPULabelStateLABELS_SENT}); len(all) != 0 {
				t.Errorf("another thread got %v", all)
			}
			if _, all := sets.Match(&Sample{TID: 7}); len(all) != 0 {
				t.Errorf("a sample without labels got %v", all)
			}
			if _, all := sets.Match(&Sample{TID: 7, Labels: bpf.CPULabelStateLABELS_SENT}); !slices.Equal(all, c.want) {
				t.Errorf("got %+v, want %+v", all, c.want)
			}
		})
	}
}

// Package-level arrays have a fixed address.
var coldKey, coldValue = [...]byte{'r', 'e', 'q', 'u', 'e', 's', 't'}, [...]byte{'s', 'l', 'o', 'w'}

// A string that the BPF program could not read is read from the process.
func TestUnreadLabelsAreFetched(t *testing.T) {
	var layout bpf.CPULabelRecord
	record := func() []byte {
		raw := recordtest.Labels(7, strings.Repeat("-", len(coldKey)), strings.Repeat("-", len(coldValue)))
		binary.NativeEndian.PutUint32(raw[unsafe.Offsetof(layout.Pid):], uint32(os.Getpid()))
		return raw
	}
	address := func(raw []byte, field uintptr, at uintptr) {
		binary.NativeEndian.PutUint64(raw[unsafe.Offsetof(layout.Label)+field:], uint64(at))
	}
	keyAt, valueAt := unsafe.Offsetof(layout.Label[0].KeyAddress), unsafe.Offsetof(layout.Label[0].ValueAddress)
	const unmapped = 8
	key, value := uintptr(unsafe.Pointer(&coldKey)), uintptr(unsafe.Pointer(&coldValue))

	both, lostValue, lostKey := record(), record(), record()
	address(both, keyAt, key)
	address(both, valueAt, value)
	address(lostValue, keyAt, key)
	address(lostValue, valueAt, unmapped)
	address(lostKey, keyAt, unmapped)
	for _, c := range []struct {
		raw  []byte
		want []Label
		cut  uint64
	}{
		{both, []Label{{Key: "request", Value: "slow"}}, 0},
		{lostValue, []Label{{Key: "request", Value: "…"}}, 0},
		{lostKey, nil, 1},
	} {
		var sets LabelSets
		if err := sets.Add(c.raw); err != nil {
			t.Fatal(err)
		}
		if _, all := sets.Match(&Sample{TID: 7, Labels: bpf.CPULabelStateLABELS_SENT}); !slices.Equal(all, c.want) || sets.Incomplete != c.cut {
			t.Errorf("got %+v and %d cut, want %+v and %d", all, sets.Incomplete, c.want, c.cut)
		}
	}
}

// A target that keeps making new labels does not fill our memory. Samples without their labels are
// counted.
func TestLabelsAreBounded(t *testing.T) {
	var sets LabelSets
	for i := range 100_000 {
		if err := sets.Add(recordtest.Labels(uint32(i), "request", fmt.Sprint(i, strings.Repeat("x", 60)))); err != nil {
			t.Fatal(err)
		}
	}
	if _, all := sets.Match(&Sample{TID: 99_999, Labels: bpf.CPULabelStateLABELS_SENT}); all != nil || sets.Lost != 0 {
		t.Errorf("the last sample has %v, and %d label records were lost", all, sets.Lost)
	}
	if sets.bytes > maxLabelBytes || len(sets.pending) > maxPending || len(sets.known)-1+int(sets.Incomplete) != 100_000 {
		t.Errorf("%d bytes, %d pending, %d known and %d left out", sets.bytes, len(sets.pending), len(sets.known), sets.Incomplete)
	}
}

// A sample whose label record was lost has no labels, also not those of an earlier sample of the
// thread, and is counted.
func TestLostLabelsAreCounted(t *testing.T) {
	var sets LabelSets
	add := func() {
		if err := sets.Add(recordtest.Labels(7, "request", "slow")); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range []struct {
		state bpf.CPULabelState
		added bool
		lost  uint64
	}{
		{bpf.CPULabelStateLABELS_NONE, false, 0},
		{bpf.CPULabelStateLABELS_SENT, true, 0},
		{bpf.CPULabelStateLABELS_SENT, false, 1},
		{bpf.CPULabelStateLABELS_LOST, true, 2},
		{bpf.CPULabelStateLABELS_LOST, false, 3},
	} {
		if c.added {
			add()
		}
		key, all := sets.Match(&Sample{TID: 7, Labels: c.state})
		if has := c.added && c.state == bpf.CPULabelStateLABELS_SENT; (len(all) == 1) != has || (key != "") != has || sets.Lost != c.lost {
			t.Errorf("case %d: labels %v and %d lost, want %d", i, all, sets.Lost, c.lost)
		}
	}
}

func FuzzRecords(f *testing.F) {
	f.Add(recordtest.Labels(7, "request", "slow"))
	f.Add(recordtest.Sample([]uint64{1}, []uint64{2, 3}, 0))
	f.Fuzz(func(t *testing.T, raw []byte) {
		fuzzbudget.Enforce(t)
		var sets LabelSets
		_ = sets.Add(raw)
		if s, err := ParseSample(raw); err == nil {
			sets.Match(&s)
		}
	})
}
