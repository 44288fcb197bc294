package meta

import (
	"fmt"
	"strings"
	"time"
)

const stopped = "stopped"

// StoppedEarly returns the value of Partial for a profile whose sampling was stopped before its time. The profiler does not
// know who stopped it; whoever knows puts that before it.
func StoppedEarly(after, requested time.Duration) string {
	return fmt.Sprintf("%s after %v of %v", stopped, after, requested)
}

// IsStoppedEarly reports whether a value of Partial is one of StoppedEarly, with nothing before it.
func IsStoppedEarly(partial string) bool { return strings.HasPrefix(partial, stopped+" ") }
