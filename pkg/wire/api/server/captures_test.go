package server

import (
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// Results that no client fetches take a bounded amount of memory. The newest is kept.
func TestBytesOfResultsAreBounded(t *testing.T) {
	c := newCaptures(nil)
	var newest *job
	for i := range 4 {
		newest = newJob(api.NewCaptureID())
		newest.result = &result{data: make([]byte, maxFinishedBytes/2)}
		newest.finished = time.Now().Add(time.Duration(i) * time.Second)
		close(newest.done)
		c.byID[newest.id] = newest
		c.retain(newest)
	}
	if len(c.byID) != 2 || c.byID[newest.id] == nil {
		t.Errorf("%d results of half the bound are kept, want 2 with the newest", len(c.byID))
	}
	huge := newJob(api.NewCaptureID())
	huge.result, huge.finished = &result{data: make([]byte, 2*maxFinishedBytes)}, time.Now().Add(time.Minute)
	close(huge.done)
	c.byID[huge.id] = huge
	c.retain(huge)
	if len(c.byID) != 1 || c.byID[huge.id] == nil {
		t.Errorf("%d results are kept with one beyond the bound, want that one alone", len(c.byID))
	}
}
