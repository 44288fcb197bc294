package launch

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestPollErrors(t *testing.T) {
	ctx, cancel := withTimeout(t.Context(), Options{Timeout: 20 * time.Millisecond})
	defer cancel()
	err := poll(ctx, func(context.Context) (bool, string, error) { return false, "pulling", nil })
	if want := "not running after 20ms (--timeout): pulling"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	broken := errors.New("broken")
	if err := poll(t.Context(), func(context.Context) (bool, string, error) { return false, "", broken }); err != broken {
		t.Errorf("got %v, want %v", err, broken)
	}
}
