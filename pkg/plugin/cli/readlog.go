package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/launch"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/logs"
)

const (
	// logSilence is how long a log may bring nothing, of a profiler that writes every 5 s: then it is opened anew.
	logSilence = 20 * time.Second
	// logPause is how long to wait before that.
	logPause = time.Second
)

var errStopped = errors.New("stopped")

// readLog receives the profiles that a profiler writes to its log because it cannot be asked. A log that breaks is read
// again from its beginning: a node keeps more of it than we write.
func (o *Options) readLog(ctx, early context.Context, m *meter, link *link, session *launch.Session, parts []*part) {
	var longest time.Duration
	for _, p := range parts {
		longest = max(longest, p.request.Duration)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, longest+resultTime,
		fmt.Errorf("no result %v after the end of sampling", resultTime))
	defer cancel()
	stop := context.AfterFunc(early, cancel)
	defer stop()
	r := logReader{meter: m, parts: parts}
	err := r.follow(ctx, early, link, session)
	for _, p := range parts {
		if p.profile == nil && p.err == nil {
			p.err = err
		}
	}
}

// follow reads until everything has come.
func (r *logReader) follow(ctx, early context.Context, link *link, session *launch.Session) error {
	for since := time.Now(); ; {
		why, endedErr := session.Ended(ctx) // before the log is read: it is whole then
		before := r.last
		err := r.read(ctx, link)
		switch {
		case r.complete():
			return nil
		case early.Err() != nil:
			return errStopped
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case endedErr == nil && why != "":
			return errors.New("its log has no whole profile")
		case r.last > before:
			since = time.Now()
		case time.Since(since) > api.UnattendedTime:
			return fmt.Errorf("its log brings nothing: %w", err)
		}
		if err != nil {
			r.meter.ui.interrupted(err)
		}
		select {
		case <-time.After(logPause):
		case <-ctx.Done():
		}
	}
}

// logReader takes the blocks out of a profiler's log.
type logReader struct {
	meter *meter
	parts []*part
	last  int // number of the last block
}

// complete tells that each profile has come, or why there is none.
func (r *logReader) complete() bool {
	return !slices.ContainsFunc(r.parts, func(p *part) bool { return p.profile == nil && p.err == nil })
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
	kind, profileType := api.ParseLogKind(b.Kind)
	i := slices.IndexFunc(r.parts, func(p *part) bool { return p.request.Type == profileType })
	if i < 0 {
		return nil
	}
	part := r.parts[i]
	switch kind {
	case api.LogProgress:
		var p api.Progress
		if err := json.Unmarshal(b.Data, &p); err == nil {
			r.meter.report(profileType, p)
		}
	case api.LogSlice:
		if p, err := profile.ParseData(b.Data); err == nil {
			part.slices.add(p)
		}
	case api.LogError:
		e := new(api.Error)
		if json.Unmarshal(b.Data, e) != nil || e.Message == "" {
			e.Message = fmt.Sprintf("the profiler said %.200q", bytes.TrimSpace(b.Data))
		}
		part.err = e
	case api.LogProfile:
		p, err := profile.ParseData(b.Data)
		if err != nil {
			part.err = &api.Error{Message: fmt.Sprintf("the profile is unreadable: %v", err)}
			break
		}
		part.profile = p
	}
	if r.complete() {
		return errComplete
	}
	return nil
}
