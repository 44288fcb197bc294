package api

import "time"

// State is the state of a capture.
type State string

// The states in their order. Done and Failed are final.
const (
	Starting    State = "starting"
	Sampling    State = "sampling"
	Symbolizing State = "symbolizing"
	Done        State = "done"
	Failed      State = "failed"
)

// Progress is how far a capture has come. The profiler streams it as lines of JSON.
type Progress struct {
	State     State  `json:"state"`
	ElapsedMs int64  `json:"elapsedMs"` // since sampling began
	Samples   uint64 `json:"samples"`
	Lost      uint64 `json:"lost"` // samples that the kernel could not deliver
	Processes int    `json:"processes"`
	Error     string `json:"error,omitempty"` // why the capture failed
}

// Elapsed returns the time since sampling began.
func (p Progress) Elapsed() time.Duration { return time.Duration(p.ElapsedMs) * time.Millisecond }

// Final reports whether the state is final.
func (p Progress) Final() bool { return p.State == Done || p.State == Failed }
