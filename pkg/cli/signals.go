package cli

import (
	"context"
	"os"
	"sync"
)

// handleSignals gives two ways to end: the first Ctrl-C closes stop, which ends the sampling
// early; a second one, or any other signal, cancels the context. done ends the handling.
func handleSignals(parent context.Context, signals <-chan os.Signal) (ctx context.Context, stop <-chan struct{}, done func()) {
	ctx, cancel := context.WithCancelCause(parent)
	stopped := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		first := true
		for {
			select {
			case s := <-signals:
				if !first || s != os.Interrupt {
					cancel(errInterrupted)
					return
				}
				first = false
				close(stopped)
			case <-ctx.Done():
				return
			}
		}
	})
	return ctx, stopped, func() { cancel(nil); wg.Wait() }
}
