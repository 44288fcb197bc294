package cli

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
)

func TestSignals(t *testing.T) {
	for name, c := range map[string]struct {
		signals     []os.Signal
		early, quit bool
	}{
		"none":              {nil, false, false},
		"Ctrl-C":            {[]os.Signal{os.Interrupt}, true, false},
		"Ctrl-C twice":      {[]os.Signal{os.Interrupt, os.Interrupt}, true, true},
		"terminated":        {[]os.Signal{syscall.SIGTERM}, true, true},
		"the terminal goes": {[]os.Signal{os.Interrupt, syscall.SIGHUP}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				signals := make(chan os.Signal)
				ctx, early, done := handleSignals(t.Context(), signals)
				for _, s := range c.signals {
					signals <- s
				}
				synctest.Wait()
				if got := errors.Is(context.Cause(early), errInterrupted); got != c.early {
					t.Errorf("early is done: %v", got)
				}
				if got := errors.Is(context.Cause(ctx), errInterrupted); got != c.quit {
					t.Errorf("ctx is done: %v", got)
				}
				done()
			})
		})
	}
}
