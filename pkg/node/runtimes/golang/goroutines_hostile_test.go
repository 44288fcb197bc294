//go:build linux

package golang

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

// fakeMemory holds bytes by address. Other addresses cannot be read.
type fakeMemory map[uint64][]byte

func (m fakeMemory) Read(parts ...proc.MemoryPart) error {
	for _, p := range parts {
		if !m.fill(p) {
			return fmt.Errorf("nothing at %#x", p.Address)
		}
	}
	return nil
}

func (m fakeMemory) fill(p proc.MemoryPart) bool {
	if len(p.Bytes) == 0 {
		return true
	}
	for at, b := range m {
		if p.Address >= at && p.Address-at < uint64(len(b)) && uint64(len(b))-(p.Address-at) >= uint64(len(p.Bytes)) {
			copy(p.Bytes, b[p.Address-at:])
			return true
		}
	}
	return false
}

// words writes words at an address.
func (m fakeMemory) words(at uint64, words ...uint64) {
	var b []byte
	for _, w := range words {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	m[at] = b
}

// Addresses in the fake process.
const (
	fakeLength, fakePlace = 0x10000, 0x10010
	fakeList              = 0x20000
	fakeG                 = 0x100000
	fakeStack             = 0x200000
	fakeStackBytes        = 8192
)

// fake returns a reader with the function table of this test's own program and a fake memory, which
// holds one waiting goroutine in the layout of Go 1.minor.
func fake(t testing.TB, minor int) (*GoroutineReader, fakeMemory) {
	t.Helper()
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	r := openAt(t, f)
	m := fakeMemory{}
	r.memory.Memory, r.minor, r.layout = m, minor, layouts[minor]
	r.variables = map[string]uint64{"runtime.allglen": fakeLength, "runtime.allgptr": fakePlace}
	m.words(fakeLength, 1)
	m.words(fakePlace, fakeList)
	m.words(fakeList, fakeG)
	functions, err := r.table.Functions("runtime.main", "runtime.gopark", "runtime.goexit")
	if err != nil {
		t.Fatal(err)
	}
	gopark, goexit := functions["runtime.gopark"], functions["runtime.goexit"]
	m[fakeStack] = make([]byte, fakeStackBytes)
	g, l := make([]byte, r.layout.g.size()), &r.layout.g
	put := func(offset, value uint64) { binary.LittleEndian.PutUint64(g[offset:], value) }
	put(gStackLow, fakeStack)
	put(gStackEnd, fakeStack+fakeStackBytes)
	put(l.sched, fakeStack+4096)
	put(l.sched+gobufPC, gopark.Start)
	put(l.sched+gobufG, fakeG)
	put(l.goid, 1)
	put(l.startpc, functions["runtime.main"].Start)
	binary.LittleEndian.PutUint32(g[l.atomicstatus:], uint32(Waiting))
	m[fakeG] = g
	binary.LittleEndian.PutUint64(m[fakeStack][4096:], goexit.Start+1)
	gs, err := r.GoroutineReader()
	if err != nil {
		t.Fatal(err)
	}
	return gs, m
}

// readAll returns copies of all goroutines.
func (gs *GoroutineReader) readAll(t testing.TB) (all []Goroutine, err error) {
	t.Helper()
	err = gs.Each(t.Context(), nil, func(g *Goroutine) {
		one := *g
		one.Stack = append([]uint64(nil), g.Stack...)
		all = append(all, one)
	})
	return all, err
}

func TestFakeProcess(t *testing.T) {
	for minor := range layouts {
		gs, _ := fake(t, minor)
		all, err := gs.readAll(t)
		if err != nil || len(all) != 1 || all[0].End != Complete || gs.names(&all[0]) != "runtime.gopark runtime.goexit" {
			t.Errorf("Go 1.%d: %+v, %v", minor, all, err)
		}
	}
}

// Invalid memory of a target is read in bounded time and never reported as valid data.
func TestHostileMemory(t *testing.T) {
	word := func(m fakeMemory, at, value uint64) {
		for start, b := range m {
			if at >= start && at-start+8 <= uint64(len(b)) {
				binary.LittleEndian.PutUint64(b[at-start:], value)
				return
			}
		}
		m.words(at, value)
	}
	l := layouts[26].g
	cases := []struct {
		name  string
		minor int
		spoil func(gs *GoroutineReader, m fakeMemory)
		check func(gs *GoroutineReader, all []Goroutine, err error) bool
	}{
		{"an endless list", 26, func(_ *GoroutineReader, m fakeMemory) { word(m, fakeLength, 1<<62) },
			func(_ *GoroutineReader, _ []Goroutine, err error) bool { return errors.Is(err, ErrTorn) }},
		{"a list in unmapped memory", 26, func(_ *GoroutineReader, m fakeMemory) { word(m, fakePlace, 0x7000) },
			func(_ *GoroutineReader, all []Goroutine, err error) bool { return err != nil && len(all) == 0 }},
		{"a list at an invalid address", 26, func(_ *GoroutineReader, m fakeMemory) { word(m, fakePlace, 1<<63+1) },
			func(_ *GoroutineReader, all []Goroutine, err error) bool { return errors.Is(err, ErrTorn) }},
		{"the same goroutine over and over", 26, func(_ *GoroutineReader, m fakeMemory) {
			var list []uint64
			for range 100_000 {
				list = append(list, fakeG)
			}
			m.words(fakeList, list...)
			word(m, fakeLength, uint64(len(list)))
		}, func(gs *GoroutineReader, all []Goroutine, err error) bool { return err == nil && len(all) == 100_000 }},
		{"invalid entries", 26, func(_ *GoroutineReader, m fakeMemory) {
			m.words(fakeList, 0, 1, fakeG, 1<<62, 1<<63, fakeStack, fakeG+8)
			word(m, fakeLength, 7)
		}, func(gs *GoroutineReader, all []Goroutine, err error) bool {
			return err == nil && len(all) == 1 && gs.Bad >= 4
		}},
		{"a stack pointer outside the stack", 26, func(_ *GoroutineReader, m fakeMemory) { word(m, fakeG+l.sched, fakeG) },
			func(gs *GoroutineReader, all []Goroutine, err error) bool {
				return err == nil && gs.Torn == 1 && all[0].End == Torn && len(all[0].Stack) == 0
			}},
		{"a stack of terabytes", 26, func(_ *GoroutineReader, m fakeMemory) { word(m, fakeG+gStackEnd, 1<<46) },
			func(gs *GoroutineReader, all []Goroutine, err error) bool {
				return err == nil && len(all) == 0 && gs.Bad == 1
			}},
		{"a stack in unmapped memory", 26, func(_ *GoroutineReader, m fakeMemory) { delete(m, fakeStack) },
			func(gs *GoroutineReader, all []Goroutine, err error) bool { return err == nil && gs.Torn == 1 }},
		{"the same return address over and over", 26, func(gs *GoroutineReader, m fakeMemory) {
			functions, _ := gs.runtime.table.Functions("runtime.gopark")
			for i := 0; i < fakeStackBytes; i += 8 {
				word(m, fakeStack+uint64(i), functions["runtime.gopark"].Start+1)
			}
		}, func(_ *GoroutineReader, all []Goroutine, err error) bool {
			return err == nil && len(all) == 1 && all[0].End != Complete && len(all[0].Stack) <= maxFrames
		}},
		{"a return address outside the code", 26, func(_ *GoroutineReader, m fakeMemory) { word(m, fakeStack+4096, 0x666) },
			func(_ *GoroutineReader, all []Goroutine, err error) bool {
				return err == nil && all[0].End == Broken && len(all[0].Stack) == 1
			}},
		{"an endless list of labels", 26, func(_ *GoroutineReader, m fakeMemory) {
			word(m, fakeG+l.labels, 0x400000)
			m.words(0x400000, 0x410000, 1<<60)
			m[0x410000] = make([]byte, 1<<20)
		}, func(gs *GoroutineReader, all []Goroutine, err error) bool {
			return err == nil && len(all) == 1 && gs.CutLabels == 1
		}},
		{"an endless label", 26, func(_ *GoroutineReader, m fakeMemory) {
			word(m, fakeG+l.labels, 0x400000)
			m.words(0x400000, 0x410000, 2)
			m.words(0x410000, 0x420000, 1<<62, 0x420000, 3, 0x666, 5, 0x420000, 4)
			m[0x420000] = []byte(strings.Repeat("\xffx", 1<<20))
		}, func(gs *GoroutineReader, all []Goroutine, err error) bool {
			return err == nil && gs.CutLabels == 1 && len(all[0].Labels) == 2 && len(all[0].Labels[0].Key) <= 4*maxLabelBytes
		}},
		{"a cycle of label buckets", 22, func(gs *GoroutineReader, m fakeMemory) {
			word(m, fakeG+gs.layout.labels, 0x400000)
			m.words(0x400000, 0x410000)
			m.words(0x410000, 100, 0, 0x420000, 0x420000, 0, 0)
			bucket := make([]byte, bucketBytes)
			binary.LittleEndian.PutUint64(bucket[bucketNext:], 0x420000)
			m[0x420000] = bucket
		}, func(gs *GoroutineReader, all []Goroutine, err error) bool {
			return err == nil && gs.CutLabels == 1 && len(all) == 1
		}},
		{"a map of labels with too many buckets", 22, func(gs *GoroutineReader, m fakeMemory) {
			word(m, fakeG+gs.layout.labels, 0x400000)
			m.words(0x400000, 0x410000)
			m.words(0x410000, 1, 63<<8, 0x420000, 0, 0, 0)
		}, func(gs *GoroutineReader, all []Goroutine, err error) bool {
			return err == nil && gs.CutLabels == 1 && len(all) == 1
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			gs, m := fake(t, c.minor)
			c.spoil(gs, m)
			all, err := gs.readAll(t)
			if !c.check(gs, all, err) {
				t.Errorf("%d goroutines, %+v, %v", len(all), gs.Counts, err)
			}
		})
	}
}

// A program whose list of goroutines does not have the layout of its version is refused.
func TestOtherLayoutsAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(g []byte, l *gLayout){
		"another sched.g":        func(g []byte, l *gLayout) { g[l.sched+gobufG]++ },
		"another ID":             func(g []byte, l *gLayout) { g[l.goid] = 2 },
		"an unknown status":      func(g []byte, l *gLayout) { g[l.atomicstatus] = 77 },
		"no stack":               func(g []byte, l *gLayout) { clear(g[:16]) },
		"another start function": func(g []byte, l *gLayout) { g[l.startpc+6] = 1 },
		"a future status":        func(g []byte, l *gLayout) { g[l.atomicstatus] = 12 },
		"an unused status":       func(g []byte, l *gLayout) { g[l.atomicstatus] = 7 },
		"no start function":      func(g []byte, l *gLayout) { clear(g[l.startpc : l.startpc+8]) },
	} {
		gs, m := fake(t, 26)
		spoil(m[fakeG], gs.layout)
		if _, err := gs.runtime.GoroutineReader(); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzGoroutines reads goroutines, stacks and labels of arbitrary bytes.
func FuzzGoroutines(f *testing.F) {
	for minor := range layouts {
		_, m := fake(f, minor)
		f.Add(minor, m[fakeG], m[fakeStack][4096:], []byte("labels"), true)
	}
	gs := map[int]*GoroutineReader{}
	for minor := range layouts {
		gs[minor], _ = fake(f, minor)
	}
	f.Fuzz(func(t *testing.T, minor int, g, stack, labels []byte, arm bool) {
		fuzzbudget.Enforce(t)
		one := gs[minor]
		if one == nil {
			return
		}
		m := one.runtime.memory.Memory.(fakeMemory)
		raw := make([]byte, one.layout.size())
		copy(raw, g)
		binary.LittleEndian.PutUint64(raw[one.layout.sched+gobufG:], fakeG)
		m[fakeG], m[fakeStack+4096], m[0x400000] = raw, append(stack, make([]byte, 64)...), append(labels, make([]byte, 512)...)
		one.unwind.arm = arm
		one.Counts = Counts{} // the reader is shared, and gives up when most entries of all its reads are invalid
		clear(one.unwind.steps)
		for _, stopped := range []map[int]Registers{nil, {1: {PC: 1, SP: fakeStack + 4096, LR: 1, Exact: true}}} {
			one.Stopped = stopped
			all, err := one.readAll(t)
			if err != nil || len(all) > 1 {
				t.Fatalf("%d goroutines, %v", len(all), err)
			}
			for _, g := range all {
				if len(g.Stack) > maxFrames || len(g.Labels) > maxLabels {
					t.Fatalf("%d frames, %d labels", len(g.Stack), len(g.Labels))
				}
			}
		}
	})
}
