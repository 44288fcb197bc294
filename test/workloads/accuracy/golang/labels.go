package main

import (
	"context"
	"runtime/pprof"
)

// labels works for several tenants with different labels, and without labels. It writes to sink
// only once: access to memory that another thread writes to is faster while that thread is
// interrupted, which the kernel's tick, at which runtime/pprof samples, does and our timer does
// not. That would distort the comparison.
func labels() {
	sum := 0
	for i, tenant := range []string{"small", "middle", "large"} {
		pprof.Do(context.Background(), pprof.Labels("tenant", tenant, "region", "north"), func(ctx context.Context) {
			sum += leafEven(20_000 * (i + 1))
			for range 20 * (i + 1) {
				sum += leafEven(i)
			}
			pprof.Do(ctx, pprof.Labels("request", "nested"), func(context.Context) {
				for range 15 {
					sum += leafOdd(i)
				}
			})
		})
	}
	for range 30 {
		sum += leafOdd(1)
	}
	sink.Add(int64(sum))
}
