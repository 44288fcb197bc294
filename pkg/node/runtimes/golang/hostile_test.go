//go:build linux

package golang

import (
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

// FuzzImage overwrites words of a recorded program and its memory. Readers must not panic and must
// end in bounded time.
func FuzzImage(f *testing.F) {
	im := readImage(f, arm64Image)
	r, err := im.open()
	if err != nil {
		f.Fatal(err)
	}
	head, err := r.variable("runtime.mbuckets")
	if err != nil {
		f.Fatal(err)
	}
	first, err := r.pointer(head)
	if err != nil {
		f.Fatal(err)
	}
	patch := func(kind byte, address, value uint64) []byte {
		return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64([]byte{kind}, address), value)
	}
	f.Add(patch(1, head, 0))
	f.Add(patch(1, head, 1))
	f.Add(patch(1, first+bucketAllnext, first)) // a cycle
	f.Add(patch(1, first+bucketNstk, 1<<60))
	f.Add(append(patch(1, first+bucketHeader, 0), patch(1, first+bucketHash, 7)...))
	f.Add(patch(0, 0, 1<<40))
	f.Add(patch(0, 64, 1<<40))
	f.Fuzz(func(t *testing.T, patches []byte) {
		fuzzbudget.Enforce(t)
		hostile := &image{im.Size, maps.Clone(im.File), maps.Clone(im.Memory), im.Mapping, nil}
		for ; len(patches) >= 17; patches = patches[17:] {
			at, value := binary.LittleEndian.Uint64(patches[1:]), binary.LittleEndian.Uint64(patches[9:])
			if patches[0]%2 == 0 {
				overwrite(hostile.File, int64(at%uint64(im.Size)), value)
			} else {
				overwrite(hostile.Memory, at, value)
			}
		}
		began := time.Now()
		if r, err := hostile.open(); err == nil {
			if p, err := r.MemProfile(t.Context()); err == nil {
				for _, m := range p.Records {
					r.MemStack(m.PCs)
				}
			}
			r.MemTotals(t.Context())
			for _, read := range []func(context.Context) (*BlockProfile, error){r.MutexProfile, r.BlockProfile} {
				if p, err := read(t.Context()); err == nil {
					for _, b := range p.Records {
						r.BlockStack(b.PCs)
					}
				}
			}
			r.checkRateVariable()
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// overwrite replaces the page of a word by a changed copy.
func overwrite[A int64 | uint64](pages map[A][]byte, at A, value uint64) {
	page, ok := pages[at&^(pageSize-1)]
	if !ok {
		return
	}
	page = append([]byte(nil), page...)
	copy(page[min(int(at%pageSize), len(page)):], binary.LittleEndian.AppendUint64(nil, value))
	pages[at&^(pageSize-1)] = page
}

// FuzzReferences decodes arbitrary bytes as code.
func FuzzReferences(f *testing.F) {
	f.Add([]byte{0x48, 0x8b, 0x05, 1, 2, 3, 4}, uint64(0x400000)) // MOVQ x(RIP), AX
	f.Add([]byte{0x40, 0x0b, 0, 0xb0, 0, 0, 0x03, 0x91, 2, 4, 0x40, 0xf9}, uint64(0x10000))
	f.Fuzz(func(t *testing.T, code []byte, start uint64) {
		fuzzbudget.Enforce(t)
		for _, machine := range []elf.Machine{elf.EM_X86_64, elf.EM_AARCH64} {
			if refs := references(machine, code, start); len(refs) > len(code) {
				t.Errorf("%d references in %d bytes", len(refs), len(code))
			}
		}
	})
}

// changingMemory calls a function before each read.
type changingMemory struct {
	Memory
	before func()
}

func (m changingMemory) Read(parts ...proc.MemoryPart) error {
	m.before()
	return m.Memory.Read(parts...)
}

// Records that change during every read are counted as torn. A GC cycle that changes during every
// read is an error.
func TestTornReadings(t *testing.T) {
	im := readImage(t, arm64Image)
	r, err := im.open()
	if err != nil {
		t.Fatal(err)
	}
	p, err := r.MemProfile(t.Context())
	if err != nil || p.Torn != 0 || len(p.Records) == 0 {
		t.Fatalf("%v, %d torn", err, p.Torn)
	}
	cycle, err := r.variable("runtime.mProfCycle")
	if err != nil {
		t.Fatal(err)
	}
	record := r.lists[memBucket][0].record

	n := uint64(0)
	r.memory.Memory = changingMemory{im, func() { n++; overwrite(im.Memory, record, n) }}
	if p, err := r.MemProfile(t.Context()); err != nil || p.Torn != 1 {
		t.Errorf("a record that changes all the time: %v, %+v", err, p)
	}
	if p, err := r.MemTotals(t.Context()); err != nil || p.Torn != 1 {
		t.Errorf("a record that changes all the time: %v, %+v", err, p)
	}
	r.memory.Memory = changingMemory{im, func() { n++; overwrite(im.Memory, cycle, n<<1) }}
	if _, err := r.MemProfile(t.Context()); !errors.Is(err, ErrTorn) {
		t.Errorf("a cycle that changes all the time: %v", err)
	}
	overwrite(im.Memory, record, 1<<63)
	r.memory.Memory = im
	if _, err := r.MemProfile(t.Context()); !errors.Is(err, ErrTorn) {
		t.Errorf("a negative number: %v", err)
	}
}

// EnableMemProfile writes nothing if the variable is not where, or does not hold what, Go's source
// says.
func TestRateVariableIsChecked(t *testing.T) {
	for name, change := range map[string]func(r *Runtime, im *image){
		"another address": func(r *Runtime, _ *image) { r.variables["runtime.MemProfileRate"] += 8 },
		"another initial value": func(r *Runtime, im *image) {
			overwrite(im.File, offsetOf(t, r, r.variables["runtime.MemProfileRate"]), 1)
		},
	} {
		im := readImage(t, arm64Image)
		r, err := im.open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.variable("runtime.MemProfileRate"); err != nil {
			t.Fatal(err)
		}
		if err := r.checkRateVariable(); err != nil {
			t.Errorf("unchanged: %v", err)
		}
		change(r, im)
		if err := r.checkRateVariable(); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// offsetOf returns the offset in the file of an address.
func offsetOf(t *testing.T, r *Runtime, address uint64) int64 {
	for _, p := range r.exe.Segments {
		if p.Type == elf.PT_LOAD && address >= p.Vaddr && address-p.Vaddr < p.Filesz {
			return int64(address - p.Vaddr + p.Off)
		}
	}
	t.Fatalf("%#x is not in the file", address)
	return 0
}
