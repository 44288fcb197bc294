//go:build linux

package record

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
)

func TestFramesOfAStack(t *testing.T) {
	const (
		byFP     = uint64(bpf.CPUAddressMarkBY_FRAME_POINTER)
		exact    = uint64(bpf.CPUAddressMarkEXACT_ADDRESS)
		runtime  = uint64(bpf.CPUAddressMarkRUNTIME_FRAME)
		vsyscall = 0xffffffffff600000
	)
	native := Frame{Address: 0x10}
	cases := []struct {
		name  string
		words Stack
		want  []Frame
	}{
		{"none", nil, nil},
		{"native", Stack{0x10, 0x20 | byFP, 0x30 | exact},
			[]Frame{native, {Address: 0x20, ByFramePointer: true}, {Address: 0x30, Exact: true}}},
		{"runtime frame between native ones", Stack{0x10, 0x20 | runtime, 1, ^uint64(0), 0x30},
			[]Frame{native, {Kind: RuntimeFrame, Address: 0x20, Payload: [2]uint64{1, ^uint64(0)}}, {Address: 0x30}}},
		{"payload that looks like runtime frames", Stack{0x20 | runtime, 1 | runtime, 2 | runtime, 0x10},
			[]Frame{{Kind: RuntimeFrame, Address: 0x20, Payload: [2]uint64{1 | runtime, 2 | runtime}}, native}},
		{"runtime frame found by a frame pointer", Stack{0x20 | runtime | byFP, 1, 2},
			[]Frame{{Kind: RuntimeFrame, Address: 0x20, ByFramePointer: true, Payload: [2]uint64{1, 2}}}},
		{"payload cut off", Stack{0x10, 0x20 | runtime, 1}, []Frame{native}},
		{"no payload", Stack{0x10, 0x20 | runtime}, []Frame{native}},
		{"the page [vsyscall]", Stack{vsyscall, 0x10}, []Frame{{Address: vsyscall &^ (byFP | exact), ByFramePointer: true, Exact: true}, native}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.words.AppendFrames(nil)); diff != "" {
				t.Errorf("frames (-want +got):\n%s", diff)
			}
		})
	}
}

// Frames that were appended to a stack are read back unchanged.
func TestAppendedFramesAreRead(t *testing.T) {
	want := []Frame{{Address: 0x10}, {Kind: RuntimeFrame, Address: 0x20, Payload: [2]uint64{3, 4}}, {Address: 0x30}}
	var s Stack
	for _, f := range want {
		s = s.Append(f.Kind, f.Address, f.Payload)
	}
	if diff := cmp.Diff(want, s.AppendFrames(nil)); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
}

// Addresses that a target makes up do not become runtime frames.
func TestNativeStack(t *testing.T) {
	addresses := []uint64{0x10, 0x20 | uint64(bpf.CPUAddressMarkRUNTIME_FRAME), 0x30}
	before := slices.Clone(addresses)
	frames := NativeStack(addresses).AppendFrames(nil)
	if diff := cmp.Diff([]Frame{{Address: 0x10}, {Address: 0x20}, {Address: 0x30}}, frames); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
	if !slices.Equal(addresses, before) {
		t.Error("the addresses were changed")
	}
}
