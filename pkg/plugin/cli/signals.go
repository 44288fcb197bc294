package cli

import (
	"context"
	"os"
	"sync"
)

// handleSignals returns two contexts. The first Ctrl-C cancels early, which stops sampling or,
// before that, the launch. A second Ctrl-C, or any other signal, also cancels ctx, which stops
// everything. The cause of both is errInterrupted. done ends the handling of signals.
func handleSignals(parent context.Context, signals <-chan os.Signal) (ctx, early context.Context, done func()) {
	ctx, quit := context.WithCancelCause(parent)
	early, stop := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case s := <-signals:
				if early.Err() != nil || s != os.Interrupt {
					quit(errInterrupted)
					return
				}
				stop(errInterrupted)
			case <-ctx.Done():
				return
			}
		}
	})
	return ctx, early, func() {
		stop(nil)
		quit(nil)
		wg.Wait()
	}
}
