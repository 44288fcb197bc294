//go:build linux

package sampling

import (
	"fmt"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record/recordtest"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
)

// BenchmarkAggregate is what user space does with one sample, by the depth of its stack: read it
// from the ring buffer's bytes and count it.
func BenchmarkAggregate(b *testing.B) {
	for _, depth := range []int{20, 200, 1024} {
		b.Run(fmt.Sprintf("frames=%d", depth), func(b *testing.B) {
			const distinct = 100
			raws := make([][]byte, distinct)
			for i := range raws {
				user := make([]uint64, depth)
				user[0] = uint64(i)
				raws[i] = recordtest.Sample(nil, user, 0)
			}
			table, g := stack.NewTable(), &process.Generation{ID: 1}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				s, err := record.ParseSample(raws[i%distinct])
				if err != nil {
					b.Fatal(err)
				}
				e := table.FindOrAdd(g, s.Kernel, s.User, stack.Complete, "", nil)
				if e == nil {
					b.Fatal("the table is full")
				}
				table.Add(e, stack.Amount{Count: 1, Value: 1}, 0)
			}
			if len(table.Sorted()) > distinct {
				b.Fatalf("%d stacks, there are %d", len(table.Sorted()), distinct)
			}
		})
	}
}
