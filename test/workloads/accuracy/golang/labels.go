package main

import (
	"context"
	"runtime/pprof"
)

// labels does work for several tenants, whose labels differ, and some without any. It writes to sink but once:
// how long a thread takes for memory that another one writes to depends on whether that one was interrupted too,
// as it is by the kernel's tick, at which runtime/pprof samples, but not by our timer.
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
