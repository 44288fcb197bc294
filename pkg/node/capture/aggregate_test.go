//go:build linux

package capture

import (
	"fmt"
	"testing"
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
				raws[i] = rawSample(nil, user, 0)
			}
			table, g := newStackTable(), &generation{id: 1}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				s, err := parseSample(raws[i%distinct])
				if err != nil {
					b.Fatal(err)
				}
				e := table.find(g, s.kernel, s.user, complete, "", nil)
				if e == nil {
					b.Fatal("the table is full")
				}
				table.add(e, amount{1, 1}, 0)
			}
			if len(table.sorted()) > distinct {
				b.Fatalf("%d stacks, there are %d", len(table.sorted()), distinct)
			}
		})
	}
}
