//go:build linux

package symbol

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// bigProgram opens a stripped Go program of 130 MB, which contains all parts of the test cluster.
func bigProgram(b *testing.B) *proc.File {
	b.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		b.Fatal(err)
	}
	found, _ := filepath.Glob(filepath.Join(cache, "kubectl-pprof-cluster", "*", "controlplane"))
	if len(found) == 0 {
		b.Skip("left out: it needs the control-plane program of the test cluster, which `make cluster` builds")
	}
	self, err := proc.Open(os.Getpid())
	if err != nil {
		b.Fatal(err)
	}
	f, err := self.OpenInRoot(found[0])
	if err != nil {
		b.Fatal(err)
	}
	return f
}

// BenchmarkFirstSymbolOfABigProgram measures the time from opening a program to the name of the
// first address.
func BenchmarkFirstSymbolOfABigProgram(b *testing.B) {
	benchmarkBigProgram(b, 1)
}

// BenchmarkSymbolsOfABigProgram measures time and peak memory for 10,000 addresses all over the
// program.
func BenchmarkSymbolsOfABigProgram(b *testing.B) {
	benchmarkBigProgram(b, 10_000)
}

func benchmarkBigProgram(b *testing.B, addresses int) {
	b.ReportAllocs()
	peak := uint64(0)
	for b.Loop() {
		f := bigProgram(b)
		m := &profile.Mapping{ID: 1, Start: 0x400000, Limit: 0x400000 + 60<<20, File: f.Path()}
		var places []uint64
		for i := range uint64(addresses) {
			places = append(places, 0x400000+(60<<20)/uint64(addresses)*i+0x2000)
		}
		p := profileAt(m, places...)
		runtime.GC()
		stop := watchMemory()
		if err := Symbolize(p, func(*profile.Mapping) *proc.File { return f }, noPerfMap); err != nil {
			b.Fatal(err)
		}
		peak = max(peak, stop())
		named := 0
		for _, l := range p.Location {
			if l.Line[0].Line > 0 {
				named++
			}
		}
		if named < addresses/2 {
			b.Fatalf("%d of %d addresses have a line", named, addresses)
		}
		f.Close()
	}
	b.ReportMetric(float64(peak)/1e6, "peak-MB")
}

// watchMemory returns a function that stops watching and returns the most memory, in bytes, that
// this process had from the system.
func watchMemory() (stop func() uint64) {
	end, result := make(chan struct{}), make(chan uint64)
	go func() {
		peak := uint64(0)
		sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
		for {
			metrics.Read(sample)
			peak = max(peak, sample[0].Value.Uint64()-sample[1].Value.Uint64())
			select {
			case <-end:
				result <- peak
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	return func() uint64 {
		close(end)
		return <-result
	}
}
