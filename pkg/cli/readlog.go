package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/launch"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/logs"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/stream"
)

const (
	// logSilence is how long a log may bring nothing, of a profiler that writes every 5 s: then it is opened anew.
	logSilence = 20 * time.Second
	// logPause is how long to wait before that.
	logPause = time.Second
)

var errStopped = errors.New("stopped")

// readLog receives the profile that a profiler writes to its log because it cannot be asked. A log that breaks is read
// again from its beginning: a node keeps more of it than we write.
func (o *Options) readLog(ctx, early context.Context, ui *progress, link *link, session *launch.Session, slices *received) (*profile.Profile, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, o.request.Duration+resultTime,
		fmt.Errorf("no result %v after the end of sampling", resultTime))
	defer cancel()
	stop := context.AfterFunc(early, cancel)
	defer stop()
	r := logReader{ui: ui, asked: o.request.Duration, slices: slices}
	for since := time.Now(); ; {
		why, endedErr := session.Ended(ctx) // before the log is read: it is whole then
		before := r.last
		err := r.read(ctx, link)
		switch {
		case r.result != nil || r.refusal != nil:
			return r.result, r.refusal
		case early.Err() != nil:
			return nil, errStopped
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case endedErr == nil && why != "":
			return nil, errors.New("its log has no whole profile")
		case r.last > before:
			since = time.Now()
		case time.Since(since) > api.UnattendedTime:
			return nil, fmt.Errorf("its log brings nothing: %w", err)
		}
		if err != nil {
			ui.interrupted(err)
		}
		select {
		case <-time.After(logPause):
		case <-ctx.Done():
		}
	}
}

// logReader takes the blocks out of a profiler's log.
type logReader struct {
	ui     *progress
	asked  time.Duration
	slices *received

	last    int // number of the last block
	result  *profile.Profile
	refusal error
}

// errComplete ends the reading of a log that brings nothing more.
var errComplete = errors.New("complete")

// read reads the log once, as far as it comes.
func (r *logReader) read(ctx context.Context, link *link) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	log, err := stream.Log(ctx, link.config, link.ref)
	if err != nil {
		return err
	}
	defer log.Close()
	silence := time.AfterFunc(logSilence, func() { cancel(fmt.Errorf("its log was silent for %v", logSilence)) })
	defer silence.Stop()
	err = logs.Read(io.TeeReader(log, alarm{silence}), r.take)
	switch {
	case errors.Is(err, errComplete):
		return nil
	case err != nil && context.Cause(ctx) != nil:
		return context.Cause(ctx)
	}
	return err
}

// alarm is put off by each write.
type alarm struct{ *time.Timer }

func (a alarm) Write(p []byte) (int, error) {
	a.Reset(logSilence)
	return len(p), nil
}

// take takes a block that has not come before.
func (r *logReader) take(b logs.Block) error {
	if b.Number <= r.last {
		return nil
	}
	r.last = b.Number
	switch b.Kind {
	case api.LogProgress:
		var p api.Progress
		if err := json.Unmarshal(b.Data, &p); err == nil {
			r.ui.sampling(p, r.asked)
		}
	case api.LogSlice:
		if p, err := profile.ParseData(b.Data); err == nil {
			r.slices.add(p)
		}
	case api.LogError:
		e := new(api.Error)
		if json.Unmarshal(b.Data, e) != nil || e.Message == "" {
			e.Message = fmt.Sprintf("the profiler said %.200q", bytes.TrimSpace(b.Data))
		}
		r.refusal = e
		return errComplete
	case api.LogProfile:
		p, err := profile.ParseData(b.Data)
		if err != nil {
			r.refusal = &api.Error{Message: fmt.Sprintf("the profile is unreadable: %v", err)}
			return errComplete
		}
		r.result = p
		return errComplete
	}
	return nil
}
