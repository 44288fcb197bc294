package main

import (
	"context"
	"runtime/pprof"
)

// labels does work for several tenants, whose labels differ, and some without any.
func labels() {
	for i, tenant := range []string{"small", "middle", "large"} {
		pprof.Do(context.Background(), pprof.Labels("tenant", tenant, "region", "north"), func(ctx context.Context) {
			sink.Add(int64(leafEven(20_000 * (i + 1))))
			for range 20 * (i + 1) {
				sink.Add(int64(leafEven(i)))
			}
			pprof.Do(ctx, pprof.Labels("request", "nested"), func(context.Context) {
				for range 15 {
					sink.Add(int64(leafOdd(i)))
				}
			})
		})
	}
	for range 30 {
		sink.Add(int64(leafOdd(1)))
	}
}
