package cli

import (
	"context"
	"os"
	"sync"
)

// handleSignals gives two contexts: the first Ctrl-C ends early, which ends what is being started,
// or the sampling; a second one, or any other signal, ends ctx as well, and with it everything.
// The cause of both is errInterrupted. done ends the handling.
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
