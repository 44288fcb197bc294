package session

import (
	"strings"
	"sync"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// progress adds up how far the captures of several types are.
type progress struct {
	report   Reporter
	duration time.Duration   // of sampling; 0 if all profiles are of one moment
	instant  map[string]bool // the types that are

	mu     sync.Mutex
	byType map[string]api.Progress
}

// newProgress reports the step in which the profiles are taken.
func newProgress(report Reporter, requests []api.Request) *progress {
	p := &progress{report: report, instant: map[string]bool{}, byType: map[string]api.Progress{}}
	var reading []string
	for _, r := range requests {
		if p.instant[r.Type.Name] = r.Instant(); p.instant[r.Type.Name] {
			reading = append(reading, r.Type.Name)
		} else {
			p.duration = max(p.duration, r.Duration)
		}
	}
	switch {
	case p.duration == 0:
		report.Step("reading " + strings.Join(reading, ", "))
	case len(reading) > 0:
		report.Step("sampling for " + p.duration.String() + ", reading " + strings.Join(reading, ", "))
	default:
		report.Step("sampling for " + p.duration.String())
	}
	return p
}

// update sets the progress of a type's capture and reports the sum. Instant profiles are not shown
// beside sampled ones.
func (p *progress) update(profileType string, now api.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.instant[profileType] && (p.duration > 0 || now.State == api.Sampling) {
		return // the step says it
	}
	p.byType[profileType] = now
	var sum api.Progress
	for _, one := range p.byType {
		if one.State == api.Sampling || sum.State != api.Sampling && one.State == api.Symbolizing {
			sum.State = one.State
		}
		sum.ElapsedMs = max(sum.ElapsedMs, one.ElapsedMs)
		sum.Samples += one.Samples
		sum.Lost += one.Lost
	}
	p.report.Sampling(sum, p.duration)
}
