package session

import "errors"

// ErrOnlyLogs is the error of Open when neither exec nor attach reaches the profiler.
var ErrOnlyLogs = errors.New("over logs a profiler can take only the profiles requested at startup")

// errStopped is the error of profiles that were stopped before they had arrived.
var errStopped = errors.New("stopped")
