package session

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/read"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/logs"
)

const (
	// maxLogSilence is how long a log may be silent before it is opened again. A profiler writes
	// every 5 s.
	maxLogSilence = 20 * time.Second
	// logRetryPause is how long to wait before that.
	logRetryPause = time.Second
)

// readLog receives the profiles from the log of a profiler that cannot be sent requests. Cancelling
// early ends the reading.
func (s *Session) readLog(ctx, early context.Context, progress *progress, p *profiler, results []*Result) {
	var longest time.Duration
	for _, r := range results {
		longest = max(longest, r.Request.Duration)
	}
	ctx, cancel := withResultTimeout(ctx, longest)
	defer cancel()
	defer context.AfterFunc(early, cancel)()
	reader := logReader{progress: progress, results: results}
	err := s.followLog(ctx, early, p, &reader)
	for _, r := range results {
		if r.Profile == nil && r.Err == nil {
			r.Err = err
		}
	}
}

// followLog reads until everything has arrived. A log that breaks off is read again from its
// beginning: a node keeps more of it than a profiler writes.
func (s *Session) followLog(ctx, early context.Context, p *profiler, reader *logReader) error {
	for since := time.Now(); ; {
		why, endedErr := p.running.Ended(ctx) // asked before the log is read, which is then complete
		before := reader.last
		err := reader.read(ctx, p.connection)
		switch {
		case reader.complete():
			return nil
		case early.Err() != nil:
			return errStopped
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case endedErr == nil && why != "":
			return errors.New("its log has no complete profile")
		case reader.last > before:
			since = time.Now()
		case err != nil && forbidden(err):
			return fmt.Errorf("its log cannot be read: %w", err)
		case time.Since(since) > api.UnattendedTime && err == nil:
			return errors.New("nothing arrives through its log")
		case time.Since(since) > api.UnattendedTime:
			return fmt.Errorf("nothing arrives through its log: %w", err)
		}
		if err != nil {
			s.broken.add(err)
		}
		select {
		case <-time.After(logRetryPause):
		case <-ctx.Done():
		}
	}
}

// logReader takes the profiles out of a profiler's log.
type logReader struct {
	progress *progress
	results  []*Result
	last     int // number of the last block
}

// complete reports whether each profile has arrived, or the reason why there is none.
func (l *logReader) complete() bool {
	return !slices.ContainsFunc(l.results, func(r *Result) bool { return r.Profile == nil && r.Err == nil })
}

// errComplete ends the reading of a log after its last block.
var errComplete = errors.New("complete")

// read reads the log once, until it is complete or breaks off.
func (l *logReader) read(ctx context.Context, c *connection) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	log, err := stream.OpenLog(ctx, c.config, c.ref)
	if err != nil {
		return err
	}
	defer log.Close()
	silence := time.AfterFunc(maxLogSilence, func() { cancel(fmt.Errorf("its log was silent for %v", maxLogSilence)) })
	defer silence.Stop()
	err = logs.Read(io.TeeReader(log, watchdog{silence}), l.add)
	switch {
	case errors.Is(err, errComplete):
		return nil
	case err != nil && context.Cause(ctx) != nil:
		return context.Cause(ctx)
	}
	return err
}

// watchdog is a timer that each write starts again.
type watchdog struct{ *time.Timer }

func (w watchdog) Write(p []byte) (int, error) {
	w.Reset(maxLogSilence)
	return len(p), nil
}

// add handles a block. It ignores blocks that it has seen before.
func (l *logReader) add(b logs.Block) error {
	if b.Number <= l.last {
		return nil
	}
	l.last = b.Number
	kind, profileType := api.ParseLogKind(b.Kind)
	i := slices.IndexFunc(l.results, func(r *Result) bool { return r.Request.Type.Name == profileType })
	if i < 0 {
		return nil
	}
	r := l.results[i]
	switch kind {
	case api.LogProgress:
		var now api.Progress
		if err := json.Unmarshal(b.Data, &now); err == nil {
			l.progress.update(profileType, now)
		}
	case api.LogSlice:
		_ = r.addSlice(b.Data) // salvage reports the error
	case api.LogError:
		e := new(api.Error)
		if json.Unmarshal(b.Data, e) != nil || e.Message == "" {
			e.Message = fmt.Sprintf("the profiler said %.200q", bytes.TrimSpace(b.Data))
		}
		r.Err = e
	case api.LogProfile:
		p, err := read.Pprof(b.Data)
		if err != nil {
			r.Err = &api.Error{Message: fmt.Sprintf("the profile is unreadable: %v", err)}
			break
		}
		r.Profile = p
	}
	if l.complete() {
		return errComplete
	}
	return nil
}
