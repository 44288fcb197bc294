package api

import (
	"crypto/rand"
	"math"
	"net/url"
	"strconv"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/requirements"
)

const (
	defaultDuration  = 30 * time.Second // as in net/http/pprof
	defaultFrequency = 99               // Hz; not a divisor of the rates at which programs do things
	maxCaptureID     = 64               // bytes
)

// NewCaptureID returns a random ID for Request.Capture.
func NewCaptureID() string { return rand.Text() }

// Query returns the request as URL parameters; parseRequest reads them back.
func (r Request) Query() url.Values {
	q := url.Values{
		"seconds":   {strconv.FormatFloat(r.Duration.Seconds(), 'f', -1, 64)},
		"frequency": {strconv.Itoa(r.Frequency)},
	}
	if r.Capture != "" {
		q.Set("capture", r.Capture)
	}
	if r.By != "" {
		q.Set("by", r.By)
	}
	if r.NoTimes {
		q.Set("times", "0")
	}
	if r.Restarts {
		q.Set("restarts", "1")
	}
	if r.EnableMemProfile {
		q.Set("memprofilerate", strconv.Itoa(r.MemProfileRate))
	}
	if r.Freeze {
		q.Set("freeze", "1")
	}
	for _, pid := range r.PIDs {
		q.Add("pid", strconv.Itoa(pid))
	}
	return q
}

// String is the request as a path with parameters; ParseRequest reads it back.
func (r Request) String() string {
	t, err := TypeOf(r.Type)
	if err != nil {
		return err.Error()
	}
	return t.Path + "?" + r.Query().Encode()
}

// ParseRequest reads a request for a profile. What is left out has a default.
func ParseRequest(s string) (Request, error) {
	u, err := url.Parse(s)
	if err != nil {
		return Request{}, BadRequest("%.200q is not a path with parameters", s)
	}
	for _, t := range ProfileTypes() {
		if t.Path == u.Path {
			return parseRequest(t.Name, u.Query())
		}
	}
	return Request{}, BadRequest("%.200q is the path of no profile", u.Path)
}

// parseRequest reads the parameters of a request for a profile. What is left out has a default.
func parseRequest(typ string, q url.Values) (Request, error) {
	r := Request{Type: typ, Capture: q.Get("capture"), Duration: defaultDuration, Frequency: defaultFrequency}
	if r.Capture == "" {
		r.Capture = NewCaptureID()
	}
	if err := CheckCaptureID(r.Capture); err != nil {
		return Request{}, err
	}
	if s := q.Get("seconds"); s != "" {
		seconds, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsNaN(seconds) || seconds <= 0 || seconds > MaxDuration.Seconds() {
			return Request{}, BadRequest("seconds=%.20q must be a number above 0, at most %.0f", s, MaxDuration.Seconds())
		}
		r.Duration = max(time.Duration(math.Round(seconds*1e9)), 1)
	}
	if s := q.Get("frequency"); s != "" {
		hertz, err := strconv.Atoi(s)
		if err != nil || hertz < 1 || hertz > requirements.MaxFrequency {
			return Request{}, BadRequest("frequency=%.20q must be a whole number from 1 to %d", s, requirements.MaxFrequency)
		}
		r.Frequency = hertz
	}
	r.NoTimes = q.Get("times") == "0"
	r.Restarts = q.Get("restarts") == "1"
	if r.By = q.Get("by"); r.By != "" && r.By != ByThread && r.By != ByGoroutine {
		return Request{}, BadRequest("by=%.20q must be %s or %s", r.By, ByThread, ByGoroutine)
	}
	r.Freeze = q.Get("freeze") == "1"
	if s := q.Get("memprofilerate"); s != "" {
		rate, err := strconv.Atoi(s)
		if err != nil || rate < 1 || rate > MaxMemProfileRate {
			return Request{}, BadRequest("memprofilerate=%.20q must be a whole number from 1 to %d", s, MaxMemProfileRate)
		}
		r.EnableMemProfile, r.MemProfileRate = true, rate
	}
	if len(q["pid"]) > MaxPIDs {
		return Request{}, BadRequest("%d PIDs were given, at most %d can be", len(q["pid"]), MaxPIDs)
	}
	for _, s := range q["pid"] {
		pid, err := strconv.ParseInt(s, 10, 32)
		if err != nil || pid < 1 {
			return Request{}, BadRequest("pid=%.20q must be a positive number", s)
		}
		r.PIDs = append(r.PIDs, int(pid))
	}
	return r, nil
}

// CheckCaptureID keeps IDs short and free of characters that mean something elsewhere.
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
