package api

import (
	"fmt"
	"mime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// TimingHeader is the HTTP header with the times that the profiler's steps for a profile took
// (https://www.w3.org/TR/server-timing/).
const TimingHeader = "Server-Timing"

// Step is a part of the work for one profile, with the time that it took.
type Step struct {
	Name string // a word
	Took time.Duration
}

// Steps measures the steps of one profile, one after another. The zero value is ready, a nil pointer
// measures nothing, and all methods may be called by several goroutines at once.
type Steps struct {
	mu    sync.Mutex
	ended []Step
	name  string // of the current step; "" if there is none
	began time.Time
}

// Begin ends the current step and begins another one.
func (s *Steps) Begin(name string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.name != "" {
		s.ended = append(s.ended, Step{s.name, now.Sub(s.began)})
	}
	s.name, s.began = name, now
}

// End ends the current step and returns all steps.
func (s *Steps) End() []Step {
	if s == nil {
		return nil
	}
	s.Begin("")
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// FormatTiming returns the value of a TimingHeader.
func FormatTiming(steps []Step) string {
	var parts []string
	for _, s := range steps {
		parts = append(parts, fmt.Sprintf("%s;dur=%.1f", s.Name, float64(s.Took)/1e6))
	}
	return strings.Join(parts, ", ")
}

// maxSteps is the largest number of steps of a TimingHeader that are read. A profile has fewer than ten.
const maxSteps = 20

// ParseTiming returns the steps in a TimingHeader. It leaves out what it does not understand.
func ParseTiming(header string) (steps []Step) {
	for part := range strings.SplitSeq(header, ",") {
		if len(steps) == maxSteps {
			break
		}
		name, parameters, err := mime.ParseMediaType(part)
		ms, durErr := strconv.ParseFloat(parameters["dur"], 64)
		if err != nil || durErr != nil || !(0 <= ms && ms <= 1e9) { // neither is NaN
			continue
		}
		steps = append(steps, Step{name, time.Duration(ms * 1e6)})
	}
	return steps
}
