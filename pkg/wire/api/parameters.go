package api

import (
	"math"
	"net/url"
	"strconv"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/requirements"
)

// Names of the parameters in a request's URL; Parse and Query convert between them and a Request.
const (
	paramCapture        = "capture"
	paramSeconds        = "seconds" // as in net/http/pprof
	paramFrequency      = "frequency"
	paramPID            = "pid" // may be repeated
	paramBy             = "by"
	paramTimes          = "times" // "0" for NoTimes
	paramRestarts       = "restarts"
	paramMemProfileRate = "memprofilerate" // sets EnableMemProfile
	paramFreeze         = "freeze"
	paramUnsafeKernel   = "unsafekernel"
)

// maxCaptureID is the length of a capture ID, at most, in bytes.
const maxCaptureID = 64

// Query returns the request's parameters. Parse of its type is the inverse.
func (r Request) Query() url.Values {
	q := url.Values{
		paramSeconds:   {strconv.FormatFloat(r.Duration.Seconds(), 'f', -1, 64)},
		paramFrequency: {strconv.Itoa(r.Frequency)},
	}
	if r.Capture != "" {
		q.Set(paramCapture, r.Capture)
	}
	if r.By != "" {
		q.Set(paramBy, r.By)
	}
	if r.NoTimes {
		q.Set(paramTimes, "0")
	}
	if r.Restarts {
		q.Set(paramRestarts, "1")
	}
	if r.EnableMemProfile {
		q.Set(paramMemProfileRate, strconv.Itoa(r.MemProfileRate))
	}
	if r.Freeze {
		q.Set(paramFreeze, "1")
	}
	if r.UnsafeKernel {
		q.Set(paramUnsafeKernel, "1")
	}
	for _, pid := range r.PIDs {
		q.Add(paramPID, strconv.Itoa(pid))
	}
	return q
}

// String returns the request as a path with parameters. ParseRequest is the inverse.
func (r Request) String() string { return r.Type.Path + "?" + r.Query().Encode() }

// ParseRequest parses a path with the parameters of a request. Missing parameters get defaults.
func ParseRequest(s string) (Request, error) {
	u, err := url.Parse(s)
	if err != nil {
		return Request{}, BadRequest("%.200q is not a path with parameters", s)
	}
	for _, t := range ProfileTypes() {
		if t.Path == u.Path {
			return t.Parse(u.Query())
		}
	}
	return Request{}, BadRequest("%.200q is not the path of a profile", u.Path)
}

// Parse parses the parameters of a request for the type. Missing parameters get defaults.
func (t ProfileType) Parse(q url.Values) (r Request, err error) {
	r = Request{Type: t, Capture: q.Get(paramCapture), Duration: DefaultDuration, Frequency: DefaultFrequency}
	if r.Capture == "" {
		r.Capture = NewCaptureID()
	}
	if err := CheckCaptureID(r.Capture); err != nil {
		return Request{}, err
	}
	if s := q.Get(paramSeconds); s != "" {
		seconds, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsNaN(seconds) || seconds <= 0 || seconds > MaxDuration.Seconds() {
			return Request{}, BadRequest("%s=%.20q must be a number above 0 and at most %.0f", paramSeconds, s, MaxDuration.Seconds())
		}
		r.Duration = max(time.Duration(math.Round(seconds*1e9)), 1)
	}
	if s := q.Get(paramFrequency); s != "" {
		if r.Frequency, err = parseInt(paramFrequency, s, requirements.MaxFrequency); err != nil {
			return Request{}, err
		}
	}
	if r.By = q.Get(paramBy); r.By != "" && r.By != ByThread && r.By != ByGoroutine {
		return Request{}, BadRequest("%s=%.20q must be %s or %s", paramBy, r.By, ByThread, ByGoroutine)
	}
	if s := q.Get(paramMemProfileRate); s != "" {
		if r.MemProfileRate, err = parseInt(paramMemProfileRate, s, MaxMemProfileRate); err != nil {
			return Request{}, err
		}
		r.EnableMemProfile = true
	}
	if len(q[paramPID]) > MaxPIDs {
		return Request{}, BadRequest("%s was given %d times, at most %d are accepted", paramPID, len(q[paramPID]), MaxPIDs)
	}
	for _, s := range q[paramPID] {
		pid, err := parseInt(paramPID, s, math.MaxInt32)
		if err != nil {
			return Request{}, err
		}
		r.PIDs = append(r.PIDs, pid)
	}
	r.NoTimes = q.Get(paramTimes) == "0"
	r.Restarts = q.Get(paramRestarts) == "1"
	r.Freeze = q.Get(paramFreeze) == "1"
	r.UnsafeKernel = q.Get(paramUnsafeKernel) == "1"
	return r, nil
}

// parseInt parses a number from 1 to highest.
func parseInt(name, s string, highest int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > highest {
		return 0, BadRequest("%s=%.20q must be a whole number from 1 to %d", name, s, highest)
	}
	return n, nil
}

// CheckCaptureID returns an *Error unless the ID is short and consists of letters, digits, - and _.
func CheckCaptureID(id string) error {
	if id == "" || len(id) > maxCaptureID {
		return BadRequest("a capture ID has 1 to %d characters, not %d", maxCaptureID, len(id))
	}
	for _, c := range id {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_' {
			return BadRequest("capture ID %q has characters other than letters, digits, - and _", id)
		}
	}
	return nil
}
