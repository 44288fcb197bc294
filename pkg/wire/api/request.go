package api

import (
	"crypto/rand"
	"slices"
	"strconv"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/requirements"
)

// Limits of a Request. The highest frequency is requirements.MaxFrequency.
const (
	MaxDuration       = time.Hour
	MaxPIDs           = 1024
	MaxMemProfileRate = 1 << 30 // bytes
)

// Defaults of a Request.
const (
	DefaultDuration       = 30 * time.Second // as in net/http/pprof
	DefaultFrequency      = 99               // Hz; few programs do anything periodic that often
	DefaultMemProfileRate = 512 << 10        // bytes, that of Go's runtime (runtime.MemProfileRate)
)

// ReadTime is the duration of a request for a profile of one moment: the longest time for reading it.
const ReadTime = 30 * time.Second

// Request describes the profile that is wanted.
type Request struct {
	Type      ProfileType
	Capture   string        // ID from NewCaptureID; a request with the ID of an existing capture joins it
	Duration  time.Duration // of sampling, at most MaxDuration
	Frequency int           // samples per second and CPU, at most requirements.MaxFrequency
	PIDs      []int         // process IDs in the target's PID namespace, at most MaxPIDs; none for all processes
	By        string        // ByThread, ByGoroutine, or "" to separate samples by process only
	NoTimes   bool          // leave out the times of samples
	// EnableMemProfile makes the profiler turn on the memory profile of Go programs that have turned it off, with one sample
	// per MemProfileRate bytes.
	EnableMemProfile bool
	MemProfileRate   int  // allocated bytes per sample, at most MaxMemProfileRate
	Freeze           bool // stop the container's threads while goroutines are read
	UnsafeKernel     bool // use BPF even if the node's kernel is not known to survive it: kernel.CheckUserReads
	Restarts         bool // go on after the target has ended and started again; for a profiler outside its pod
}

// Values of Request.By.
const (
	ByThread    = meta.ByThread
	ByGoroutine = meta.ByGoroutine
)

// NewCaptureID returns a random ID for Request.Capture.
func NewCaptureID() string { return rand.Text() }

// Instant reports whether the request is for a profile of one moment, not of a period of time.
func (r Request) Instant() bool { return r.Type.Instant && !r.EnableMemProfile }

// Validate returns a *ParameterError if a parameter is out of range, or if none of the types takes it. The type of the request
// itself is not considered.
func (r Request) Validate(types []ProfileType) error {
	for _, pid := range r.PIDs {
		if pid < 1 {
			return outOfRange("pid", strconv.Itoa(pid), "must be above 0")
		}
	}
	switch {
	case r.Duration <= 0 || r.Duration > MaxDuration:
		return outOfRange("duration", r.Duration.String(), "must be above 0 and at most %v", MaxDuration)
	case r.Frequency < 1 || r.Frequency > requirements.MaxFrequency:
		return outOfRange("frequency", strconv.Itoa(r.Frequency), "must be from 1 to %d", requirements.MaxFrequency)
	case len(r.PIDs) > MaxPIDs:
		return outOfRange("pid", "", "%d process IDs, of at most %d", len(r.PIDs), MaxPIDs)
	case r.By != "" && r.By != ByThread && r.By != ByGoroutine:
		return outOfRange("by", r.By, "must be %s or %s", ByThread, ByGoroutine)
	case r.EnableMemProfile && (r.MemProfileRate < 1 || r.MemProfileRate > MaxMemProfileRate):
		return outOfRange("memory profile rate", strconv.Itoa(r.MemProfileRate), "must be from 1 to %d bytes", MaxMemProfileRate)
	}
	for _, p := range []struct {
		name, value string
		set         bool
		taken       func(ProfileType) bool
	}{
		{"by", r.By, r.By != "", func(t ProfileType) bool { return t.takesBy(r.By) }},
		{"memory profile", "", r.EnableMemProfile, func(t ProfileType) bool { return t.MemProfile }},
		{"freeze", "", r.Freeze, func(t ProfileType) bool { return t.Freeze }},
	} {
		if p.set && !slices.ContainsFunc(types, p.taken) {
			takers := slices.DeleteFunc(ProfileTypes(), func(t ProfileType) bool { return !p.taken(t) })
			return &ParameterError{Parameter: p.name, Value: p.value, Types: takers}
		}
	}
	return nil
}
