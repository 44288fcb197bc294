//go:build linux

package profiler

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/client"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/logs"
)

const (
	// logProgress is how often the log says that all goes on: a connection that reads it must not lie idle for 20 s.
	logProgress = 5 * time.Second
	// sliceReserve is what slices leave of the log to the whole profile, in bytes.
	sliceReserve = logs.Budget / 2
	// slicesInLog is how many slices of a long capture there are at most.
	slicesInLog = 600
)

// toLog is the client of a profiler that no client can reach: it asks for the profiles, all at once, and writes to the
// container's log what it is sent. See api.LogProfile for what that is.
type toLog struct {
	client *client.Client
	mu     sync.Mutex
	log    *logs.Writer
	open   int // profiles that are to come
}

// run returns when the profiles are written and the profiler knows that nobody wants anything more.
func (t *toLog) run(ctx context.Context, requests []api.Request) error {
	defer t.client.Close()
	t.open = len(requests)
	failed := make([]error, len(requests))
	var wg sync.WaitGroup
	for i, r := range requests {
		wg.Go(func() { failed[i] = t.one(ctx, r) })
	}
	wg.Wait()
	_ = t.client.Exit(ctx, true) // the answer may come too late, for it ends ctx
	return errors.Join(failed...)
}

// one asks for one of the profiles.
func (t *toLog) one(ctx context.Context, r api.Request) error {
	r.Capture = api.NewCaptureID()
	watching, end := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { t.slices(watching, r) })
	wg.Go(func() { t.progress(watching, r) })
	p, err := t.client.Profile(ctx, r)
	end()
	wg.Wait()
	if err == nil {
		err = t.result(r, p)
	}
	if err != nil {
		err = t.refusal(r, err)
	}
	return err
}

// slices writes what was sampled so far, as long as there is room.
func (t *toLog) slices(ctx context.Context, r api.Request) {
	full, cancel := context.WithCancel(ctx)
	defer cancel()
	_ = t.client.Slices(full, r.Capture, func(p *profile.Profile) {
		var data bytes.Buffer
		if p.Write(&data) != nil || t.write(api.LogKind(api.LogSlice, r.Type), data.Bytes(), sliceReserve) != nil {
			cancel()
		}
		select {
		case <-time.After(r.Duration/slicesInLog - time.Second): // between slices a second passes in any case
		case <-ctx.Done():
		}
	})
}

func (t *toLog) progress(ctx context.Context, r api.Request) {
	var next time.Time
	_ = t.client.Progress(ctx, r.Capture, func(p api.Progress) {
		if time.Now().Before(next) {
			return
		}
		next = time.Now().Add(logProgress)
		if data, err := json.Marshal(p); err == nil {
			_ = t.write(api.LogKind(api.LogProgress, r.Type), data, sliceReserve) // it is for show
		}
	})
}

// result writes the whole profile, or as much of it as there is room for beside those that are to come.
func (t *toLog) result(r api.Request, p *profile.Profile) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	data, err := fit(p, t.log.Room()/t.open)
	if err != nil {
		return err
	}
	if err := t.log.Write(api.LogKind(api.LogProfile, r.Type), data); err != nil {
		return err // refusal counts it
	}
	t.open--
	return nil
}

// refusal tells why there is no profile.
func (t *toLog) refusal(r api.Request, err error) error {
	e := &api.Error{Reason: api.ReasonInternal, Message: err.Error()}
	errors.As(err, &e)
	data, jsonErr := json.Marshal(e)
	t.mu.Lock()
	t.open--
	t.mu.Unlock()
	return errors.Join(err, jsonErr, t.write(api.LogKind(api.LogError, r.Type), data, 0))
}

// write writes a block and leaves so many bytes of room.
func (t *toLog) write(kind string, data []byte, reserve int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(data) > t.log.Room()-reserve {
		return logs.ErrFull
	}
	return t.log.Write(kind, data)
}

// fit encodes the profile. If that takes more than room bytes, it leaves out the samples of least value, of
// p as well, and says so.
func fit(p *profile.Profile, room int) ([]byte, error) {
	all, index := slices.Clone(p.Sample), slices.IndexFunc(p.SampleType, func(t *profile.ValueType) bool { return t.Type == p.DefaultSampleType })
	slices.SortStableFunc(all, func(a, b *profile.Sample) int {
		return cmp.Compare(b.Value[max(index, 0)], a.Value[max(index, 0)])
	})
	for n := len(all); ; n = n * 3 / 4 {
		q := p
		if n < len(all) {
			p.Sample = all[:n]
			q = p.Compact()
			q.Comments = append(q.Comments, fmt.Sprintf("%sthe container's log has no room for %d of its %d stacks, those of least value",
				api.PartialComment, len(all)-n, len(all)))
		}
		var data bytes.Buffer
		if err := q.Write(&data); err != nil {
			return nil, err
		}
		if data.Len() <= room {
			return data.Bytes(), nil
		}
		if n == 0 {
			return nil, logs.ErrFull
		}
	}
}

// newToLog makes a client that connects to this program's own socket.
func newToLog(s Streams, socket string) *toLog {
	return &toLog{log: logs.NewWriter(s.Out), client: client.New(func(ctx context.Context) (net.Conn, error) { return dial(ctx, socket) })}
}
