// Package api is the HTTP API by which the plugin asks the profiler for profiles, spoken as
// unencrypted HTTP/2 over any net.Conn. Its entry points are NewHandler and NewServer in the
// profiler and NewClient in the plugin. It must not know how a connection comes about, nor how a
// profile is made.
package api

import (
	"fmt"
	"time"
)

// Limits of a Request.
const (
	MaxDuration = time.Hour
	MaxPIDs     = 1024

	MaxMemProfileRate = 1 << 30 // bytes
)

// Request says which profile is wanted.
type Request struct {
	Type      string        // name of a ProfileType
	Capture   string        // ID chosen by NewCaptureID; a known one joins that capture
	Duration  time.Duration // of sampling, at most MaxDuration
	Frequency int           // samples per second and CPU, 1 to requirements.MaxFrequency
	PIDs      []int         // in the target's PID namespace; none means all processes of the container
	By        string        // ByThread, ByGoroutine, or empty: by process only
	NoTimes   bool          // leave out when samples were taken
	// EnableMemProfile lets the profiler turn the memory profile of Go programs on that have turned it off, sampling
	// every MemProfileRate bytes.
	EnableMemProfile bool
	MemProfileRate   int
	Freeze           bool // stop the container's threads while goroutines are read
	Restarts         bool // go on with the target's next start when it ends; for a profiler outside its pod
}

// Levels below the process.
const (
	ByThread    = "thread"    // samples name their thread
	ByGoroutine = "goroutine" // goroutines are kept apart; for the type of that name
)

// UnattendedTime is how long a profiler keeps a finished result, and how long it waits for a silent client to come back.
const UnattendedTime = 2 * time.Minute

// DefaultMemProfileRate is that of Go's runtime (runtime.MemProfileRate), in bytes.
const DefaultMemProfileRate = 512 << 10

// PartialComment begins the comment of a profile that is not whole; the reason follows.
const PartialComment = "partial: "

// Stopped begins the reason of one whose sampling was ended early, by whom the profiler does not know.
const Stopped = "stopped"

// State is how far a capture has come.
type State string

// The states in their order; the last two are final.
const (
	Starting    State = "starting"
	Sampling    State = "sampling"
	Symbolizing State = "symbolizing"
	Done        State = "done"
	Failed      State = "failed"
)

// Progress is one line of the progress stream.
type Progress struct {
	State     State  `json:"state"`
	ElapsedMs int64  `json:"elapsedMs"` // since sampling began
	Samples   uint64 `json:"samples"`
	Lost      uint64 `json:"lost"` // samples that the kernel could not deliver
	Processes int    `json:"processes"`
	Error     string `json:"error,omitempty"` // why the capture failed
}

// Elapsed is the time since sampling began.
func (p Progress) Elapsed() time.Duration { return time.Duration(p.ElapsedMs) * time.Millisecond }

// Final reports whether nothing follows.
func (p Progress) Final() bool { return p.State == Done || p.State == Failed }

// Version describes the profiler and the node it runs on.
type Version struct {
	Version string `json:"version"`
	Kernel  string `json:"kernel"` // release, as in uname -r
	Arch    string `json:"arch"`   // as in GOARCH
}

// Error is a refusal by the profiler: what failed and why, for the person at the terminal.
type Error struct {
	Status  int    `json:"-"`      // HTTP status code
	Message string `json:"error"`  // a sentence, lower case
	Reason  string `json:"reason"` // a word to decide by: one of the Reason constants, or one of the capturer's
}

func (e *Error) Error() string { return e.Message }

// Reasons of this package's own errors.
const (
	ReasonBadRequest     = "bad_request"     // a parameter is missing or out of range
	ReasonUnknownCapture = "unknown_capture" // no capture has that ID
	ReasonExpired        = "expired"         // the capture's result is no longer kept
	ReasonBusy           = "busy"            // too many captures at once
	ReasonInternal       = "internal"        // anything else
)

// BadRequest returns the refusal of a request with a parameter that is missing or out of range.
func BadRequest(format string, a ...any) *Error {
	return &Error{Status: 400, Reason: ReasonBadRequest, Message: fmt.Sprintf(format, a...)}
}
