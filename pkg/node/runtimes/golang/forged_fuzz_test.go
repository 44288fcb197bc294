//go:build linux

package golang

import (
	"context"
	"encoding/binary"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

// tiledMemory repeats the same bytes at all addresses, so that every pointer leads to something.
type tiledMemory []byte

func (m tiledMemory) Read(parts ...proc.MemoryPart) error {
	for _, p := range parts {
		at := int(p.Address % uint64(len(m)))
		for done := 0; done < len(p.Bytes); at = 0 {
			done += copy(p.Bytes[done:], m[at:])
		}
	}
	return nil
}

// FuzzMemory reads all profiles and the goroutines of a program whose whole memory is forged.
func FuzzMemory(f *testing.F) {
	gs, _ := fake(f, 26)
	r := gs.runtime
	for _, name := range []string{
		"runtime.mbuckets", "runtime.bbuckets", "runtime.xbuckets", "runtime.mProfCycle", "runtime.MemProfileRate",
		"runtime.blockprofilerate", "runtime.mutexprofilerate",
	} {
		r.variables[name] = 0x10000
	}
	bucket := func(kind bucketKind, pcs ...uint64) []byte {
		b := []byte{}
		for _, w := range append([]uint64{0x10000, 0x10000, uint64(kind), stackHash(pcs, 16), 16, uint64(len(pcs))}, pcs...) {
			b = binary.LittleEndian.AppendUint64(b, w)
		}
		return b
	}
	f.Add(bucket(memBucket, 1, 2, 3))
	f.Add(bucket(blockBucket, 1))
	f.Add(bucket(mutexBucket))
	f.Add([]byte{0, 0, 1, 0, 0, 0, 0, 0})
	// A list of a million goroutines that do not exist.
	f.Add([]byte("\x00\xeb\xeb\xeb\xeb\xeb\x00\f\x17\x00\xe0\x00\x00\x00\xff\x00\x00\x009\x00\x00\x00\x00\x00\xea\b\x97\x00\x00\"\x00" +
		"\x00\x10\x00\x00\xff\x00\x00\x009\x00\x00\x00\x00\x00\x00\x00\x00\v\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzbudget.Enforce(t)
		if len(data) == 0 {
			return
		}
		r.memory.Memory = tiledMemory(data)
		clear(r.lists)
		clear(r.expanded)
		clear(r.names)
		for _, read := range []func(context.Context) (*MemProfile, error){r.MemProfile, r.MemTotals} {
			if p, err := read(t.Context()); err == nil {
				for _, m := range p.Records {
					r.MemStack(m.PCs)
				}
			}
		}
		for _, read := range []func(context.Context) (*BlockProfile, error){r.MutexProfile, r.BlockProfile} {
			if p, err := read(t.Context()); err == nil {
				for _, b := range p.Records {
					r.BlockStack(b.PCs)
				}
			}
		}
		clear(gs.unwind.steps)
		_ = gs.Each(t.Context(), nil, func(*Goroutine) {})
	})
}
