//go:build linux

package verify

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes"
)

// callAt is where the file of mapCalls has its only call; the instruction ends at offset callAt+8.
const (
	callAt    = 0x100
	mapStart  = 0x400000
	afterCall = mapStart + callAt + 8
)

// mapCalls returns a process that maps a file in which one instruction is a call.
func mapCalls(t *testing.T) *process.Generation {
	t.Helper()
	code := bytes.Repeat([]byte{0x90}, 0x1000) // nop on amd64
	call := []byte{0x90, 0x90, 0x90, 0xe8, 1, 2, 3, 4}
	if runtime.GOARCH == "arm64" {
		code = bytes.Repeat([]byte{0x1f, 0x20, 0x03, 0xd5}, 0x400) // nop
		call = []byte{0x1f, 0x20, 0x03, 0xd5, 1, 0, 0, 0x94}
	}
	copy(code[callAt:], call)
	path := filepath.Join(t.TempDir(), "code")
	if err := os.WriteFile(path, code, 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := proc.Open(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	f, err := p.OpenInRoot(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &process.Generation{Process: p, Mappings: []process.Mapping{
		{Mapping: proc.Mapping{Start: mapStart, End: mapStart + 0x1000, Path: "/app"}, File: f},
		{Mapping: proc.Mapping{Start: 0x800000, End: 0x801000}}, // anonymous
	}}
}

// runtimeCode is a mapping's code of a language runtime: it counts the lookups of stack pointer
// deltas, which are by offset in the file.
type runtimeCode struct {
	deltas  map[uint64]int32
	lookups int
}

func (c *runtimeCode) Is32Bit(*process.Mapping) bool { return false }

func (*runtimeCode) HasTable(*process.Mapping) bool { return false }

func (r *runtimeCode) Code(m *process.Mapping) runtimes.Code {
	if r.deltas == nil || m.File == nil {
		return nil
	}
	return r
}

func (r *runtimeCode) StackDelta(offset uint64) (int32, bool) {
	r.lookups++
	d, ok := r.deltas[offset]
	return d, ok
}

// A caller found by a frame pointer is dropped, with all frames above it, unless it follows a call.
func TestCheckCutsAtImpossibleCallers(t *testing.T) {
	const fp = uint64(bpf.CPUAddressMarkBY_FRAME_POINTER)
	const leaf = mapStart + 0x10
	cases := []struct {
		name  string
		words record.Stack
		want  record.Stack
		end   stack.End
	}{
		{"after a call", record.Stack{leaf, afterCall | fp}, record.Stack{leaf, afterCall - 1}, stack.Complete},
		{"not after a call", record.Stack{leaf, (afterCall + 8) | fp, afterCall | fp}, record.Stack{leaf}, stack.Broken},
		{"found by a table", record.Stack{leaf, afterCall + 8}, record.Stack{leaf, afterCall + 7}, stack.Complete},
		{"outside all mappings", record.Stack{leaf, 0x1234 | fp}, record.Stack{leaf}, stack.Broken},
		{"anonymous code cannot be checked", record.Stack{leaf, 0x800010 | fp}, record.Stack{leaf, 0x80000f}, stack.Complete},
		{"start of the file", record.Stack{leaf, (mapStart + 4) | fp}, record.Stack{leaf, mapStart + 3}, stack.Complete},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			checker := NewChecker(fakeTables(false))
			for range 2 { // the second result comes from the cache
				got, end := checker.Check(mapCalls(t), &record.Sample{User: c.words, End: bpf.CPUWalkEndEND_ROOT})
				if diff := cmp.Diff(c.want, got); diff != "" || end != c.end {
					t.Errorf("end %d, want %d; stack (-want +got):\n%s", end, c.end, diff)
				}
			}
			if wantAstray := c.end == stack.Broken; (checker.Astray["/app"] == 2) != wantAstray {
				t.Errorf("broken stacks by mapping: %v", checker.Astray)
			}
		})
	}
}

// In code of a language runtime, frame pointers are trusted, and a caller that they skip is restored
// from the stack pointer's delta at the leaf.
func TestCheckRestoresTheCallerThatFramePointersSkip(t *testing.T) {
	const leaf, caller, root = mapStart + 0x10, mapStart + 0x300, mapStart + 0x500
	sampleWith := func(returnAddress uint64, callers ...uint64) *record.Sample {
		s := &record.Sample{User: append(record.Stack{leaf}, callers...), End: bpf.CPUWalkEndEND_ROOT}
		s.LinkRegister = returnAddress          // where it is on arm64
		s.Top = []uint64{0x1234, returnAddress} // where it is on amd64, for a delta of 8
		return s
	}
	delta := int32(8)
	if runtime.GOARCH == "arm64" {
		delta = 0
	}
	cases := []struct {
		name   string
		deltas map[uint64]int32
		sample *record.Sample
		want   record.Stack
	}{
		{"skipped", map[uint64]int32{0x10: delta}, sampleWith(caller, root), record.Stack{leaf, caller - 1, root - 1}},
		{"present", map[uint64]int32{0x10: delta}, sampleWith(root, root), record.Stack{leaf, root - 1}},
		{"in other code", map[uint64]int32{0x10: delta}, sampleWith(0x800010, root), record.Stack{leaf, root - 1}},
		{"unknown delta", map[uint64]int32{}, sampleWith(caller, root), record.Stack{leaf, root - 1}},
		{"beyond what the sample has of the stack", map[uint64]int32{0x10: 1 << 20}, sampleWith(caller, root), record.Stack{leaf, root - 1}},
		{"not a runtime's code", nil, sampleWith(caller, root), record.Stack{leaf, root - 1}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			g := mapCalls(t)
			code := &runtimeCode{deltas: c.deltas}
			checker := NewChecker(code)
			for range 3 {
				got, end := checker.Check(g, c.sample)
				if diff := cmp.Diff(c.want, got); diff != "" || end != stack.Complete {
					t.Errorf("end %d; stack (-want +got):\n%s", end, diff)
				}
			}
			if code.lookups > 1 {
				t.Errorf("the delta was looked up %d times, want once", code.lookups)
			}
		})
	}
}

func TestCheckEndsOfRuntimeCode(t *testing.T) {
	g := mapCalls(t)
	leaf := record.Stack{mapStart + 0x10}
	for name, c := range map[string]struct {
		tables Tables
		want   stack.End
	}{
		"frame pointers are kept": {&runtimeCode{deltas: map[uint64]int32{}}, stack.Complete},
		"they may not be kept":    {&runtimeCode{}, stack.Broken},
	} {
		_, end := NewChecker(c.tables).Check(g, &record.Sample{User: leaf, End: bpf.CPUWalkEndEND_NO_CALLER})
		if end != c.want {
			t.Errorf("%s: end %d, want %d", name, end, c.want)
		}
	}
}

// After the time for reading the target's files is used up, callers are believed.
func TestReadingIsBounded(t *testing.T) {
	g := mapCalls(t)
	code := &runtimeCode{deltas: map[uint64]int32{0x10: 8}}
	checker := NewChecker(code)
	checker.calls.reading.Left()
	checker.calls.reading.Fixed = -1 << 40
	if !checker.calls.follows(&g.Mappings[0], afterCall+8) {
		t.Error("an address was refused without reading the code")
	}
	checker.callers.missingCaller(g, &record.Sample{}, []record.Frame{{Address: mapStart + 0x10}})
	if code.lookups != 0 {
		t.Error("a stack pointer delta was looked up")
	}
}

func TestBrokenStacksAreCountedForAFewMappings(t *testing.T) {
	checker := NewChecker(fakeTables(false))
	for i := range 2 * maxAstray {
		checker.countBroken(&record.Sample{}, &process.Mapping{Mapping: proc.Mapping{Path: fmt.Sprint(i)}})
	}
	checker.countBroken(&record.Sample{}, &process.Mapping{Mapping: proc.Mapping{Path: "0"}})
	if len(checker.Astray) != maxAstray || checker.Astray["0"] != 2 {
		t.Errorf("%d mappings, %d broken stacks in the first", len(checker.Astray), checker.Astray["0"])
	}
}

func TestEndsWithCallARM64(t *testing.T) {
	for name, c := range map[string]struct {
		instruction uint32
		want        bool
	}{
		"BL":         {0x94000001, true},
		"BL back":    {0x97ffffff, true},
		"BLR x3":     {0xd63f0060, true},
		"BLRAA":      {0xd73f0862, true},
		"BLRABZ":     {0xd63f0c7f, true},
		"B":          {0x14000001, false},
		"BR x3":      {0xd61f0060, false},
		"RET":        {0xd65f03c0, false},
		"NOP":        {0xd503201f, false},
		"zero bytes": {0, false},
	} {
		if got := endsWithCallARM64(binary.LittleEndian.AppendUint32(nil, c.instruction)); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestAdvice(t *testing.T) {
	astray := map[string]int64{process.AnonymousMapping: 3, process.NoMapping: 2, "/lib/ld-musl-x86_64.so.1": 7, "/b": 1, "/a": 1, "/c": 1, "/d": 1}
	lines := (&Checker{Astray: astray}).Advice()
	if len(lines) != maxAdvice {
		t.Fatalf("%d lines, want %d: %q", len(lines), maxAdvice, lines)
	}
	for i, want := range []string{
		"7 stacks break in /lib/ld-musl-x86_64.so.1: musl", "3 stacks break in " + process.AnonymousMapping + ": code made at run time",
		"2 stacks break in " + process.NoMapping + ": the process has unmapped", "1 stacks break in /a: it has neither", "1 stacks break in /b: ",
	} {
		if !strings.HasPrefix(lines[i], want) {
			t.Errorf("line %d is %q, want %q…", i, lines[i], want)
		}
	}
}

// A stack that breaks outside of all mappings is not advised about as code made at run time.
func TestBrokenOutsideOfMappings(t *testing.T) {
	byPath := map[string]int64{}
	count(byPath, nil)
	count(byPath, &process.Mapping{})
	if byPath[process.NoMapping] != 1 || byPath[process.AnonymousMapping] != 1 {
		t.Errorf("counted %v", byPath)
	}
}
