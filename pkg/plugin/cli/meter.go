package cli

import (
	"strings"
	"sync"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// meter puts into one line how far the captures of several types are.
type meter struct {
	ui       *progress
	duration time.Duration   // of the sampling; 0 if all are read at once
	instant  map[string]bool // types that are

	mu  sync.Mutex
	now map[string]api.Progress // by type
}

// newMeter begins the step.
func newMeter(ui *progress, requests []api.Request) *meter {
	m := &meter{ui: ui, instant: map[string]bool{}, now: map[string]api.Progress{}}
	var reading []string
	for _, r := range requests {
		if m.instant[r.Type] = instant(r); m.instant[r.Type] {
			reading = append(reading, r.Type)
		} else {
			m.duration = max(m.duration, r.Duration)
		}
	}
	switch {
	case m.duration == 0:
		ui.step("reading %s", strings.Join(reading, ", "))
	case len(reading) > 0:
		ui.step("sampling for %v, reading %s", m.duration, strings.Join(reading, ", "))
	default:
		ui.step("sampling for %v", m.duration)
	}
	return m
}

// report takes the progress of a type's capture. Beside those that sample, what is read at once is not shown.
func (m *meter) report(profileType string, p api.Progress) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.instant[profileType] && (m.duration > 0 || p.State == api.Sampling) {
		return // the step says it
	}
	m.now[profileType] = p
	var sum api.Progress
	for _, p := range m.now {
		if p.State == api.Sampling || sum.State != api.Sampling && p.State == api.Symbolizing {
			sum.State = p.State
		}
		sum.ElapsedMs = max(sum.ElapsedMs, p.ElapsedMs)
		sum.Samples += p.Samples
		sum.Lost += p.Lost
	}
	m.ui.sampling(sum, m.duration)
}
