//go:build linux

package golang

import (
	"syscall"
	"testing"
	"time"
)

// reportCPU adds this process's CPU time to the results of a benchmark when the returned function
// is called.
func reportCPU(b *testing.B) func() {
	used := func() time.Duration {
		var u syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	return func() { b.ReportMetric(float64((used()-before).Milliseconds())/float64(b.N), "cpu-ms/op") }
}

// BenchmarkGoroutines reads 100,000 parked goroutines: all of them, with the process stopped, and
// again when none has run.
func BenchmarkGoroutines(b *testing.B) {
	program := run(b, build(b, "local", "amd64", "waits", "-ldflags=-s -w"), "100000")
	gs := openGoroutineReader(b, program.pid)
	time.Sleep(time.Second) // until the garbage collector is idle
	seen := map[uint64]uint64{}
	b.Run("all", func(b *testing.B) {
		defer reportCPU(b)()
		for b.Loop() {
			if err := gs.Each(b.Context(), nil, func(g *Goroutine) { seen[g.Address] = g.Fingerprint }); err != nil || len(seen) < 100_000 {
				b.Fatal(len(seen), err)
			}
		}
	})
	b.Run("stopped", func(b *testing.B) {
		gs.Stopped = map[int]Registers{}
		defer func() { gs.Stopped = nil }()
		defer reportCPU(b)()
		for b.Loop() {
			if err := gs.Each(b.Context(), nil, func(*Goroutine) {}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("known", func(b *testing.B) {
		defer reportCPU(b)()
		for b.Loop() {
			known := 0
			err := gs.Each(b.Context(), func(address, fingerprint uint64) bool {
				known++
				return seen[address] == fingerprint
			}, func(g *Goroutine) { seen[g.Address] = g.Fingerprint })
			if err != nil || known < 100_000 {
				b.Fatal(known, err)
			}
		}
	})
}
