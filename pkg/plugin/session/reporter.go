package session

import (
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// Reporter receives the progress and the notes of a session. Its methods may be called by several
// goroutines at once.
type Reporter interface {
	// Step reports that a step begins.
	Step(text string)
	// Note reports something that the user should know, in one sentence.
	Note(text string)
	// Timing reports how long the profiler's steps for one profile took.
	Timing(profileType string, steps []api.Step)
	// Sampling reports how far sampling of the given duration is, all profile types added up.
	Sampling(now api.Progress, total time.Duration)
}
