//go:build linux

package profiler

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/client"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/logs"
)

const (
	// logProgressInterval is the time between two progress blocks: the connection that reads the log must not be idle for 20 s.
	logProgressInterval = 5 * time.Second
	// maxLogSlices is the number of slices of a long capture, at most.
	maxLogSlices = 600
	// profileReserve is the part of the log, in bytes, that slices and progress leave free for the complete profiles.
	profileReserve = logs.Budget / 2
)

// logClient is the client of a profiler that no other client can connect to. It requests profiles, all at once, and writes what
// it receives to the container's log, as blocks of the kinds api.LogProfile and so on.
type logClient struct {
	client *client.Client

	mu      sync.Mutex
	log     *logs.Writer
	pending int // profiles that still need room in the log
}

// newLogClient returns a client that connects to this program's own socket and writes to out.
func newLogClient(out io.Writer, socket string) *logClient {
	return &logClient{
		log:    logs.NewWriter(out),
		client: client.New(func(ctx context.Context) (net.Conn, error) { return dial(ctx, socket) }),
	}
}

// run returns when all profiles are written. It then tells the profiler to exit.
func (c *logClient) run(ctx context.Context, requests []api.Request) error {
	defer c.client.Close()
	c.pending = len(requests)
	errs := make([]error, len(requests))
	var wg sync.WaitGroup
	for i, r := range requests {
		wg.Go(func() { errs[i] = c.record(ctx, r) })
	}
	wg.Wait()
	_ = c.client.Exit(ctx, true) // the exit cancels ctx, perhaps before the answer has arrived
	return errors.Join(errs...)
}

// record requests one profile and writes it, or the error, to the log. Slices and progress go to the log meanwhile.
func (c *logClient) record(ctx context.Context, r api.Request) error {
	r.Capture = api.NewCaptureID()
	sampling, end := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { c.writeSlices(sampling, r) })
	wg.Go(func() { c.writeProgress(sampling, r) })
	p, err := c.client.Profile(ctx, r)
	end()
	wg.Wait()
	if err == nil {
		err = c.writeProfile(r, p)
	}
	if err != nil {
		err = c.writeError(r, err)
	}
	return err
}

// writeSlices writes the slices of a capture while there is room.
func (c *logClient) writeSlices(ctx context.Context, r api.Request) {
	_ = c.client.Slices(ctx, r.Capture, func(data []byte) error {
		if err := c.write(api.LogKind(api.LogSlice, r.Type), data, profileReserve); err != nil {
			return err
		}
		select {
		case <-time.After(r.Duration/maxLogSlices - time.Second): // slices are a second apart in any case
		case <-ctx.Done():
		}
		return nil
	})
}

// writeProgress writes the progress of a capture. It is only for display, so errors do not matter.
func (c *logClient) writeProgress(ctx context.Context, r api.Request) {
	var next time.Time
	_ = c.client.Progress(ctx, r.Capture, func(p api.Progress) {
		if time.Now().Before(next) {
			return
		}
		next = time.Now().Add(logProgressInterval)
		if data, err := json.Marshal(p); err == nil {
			_ = c.write(api.LogKind(api.LogProgress, r.Type), data, profileReserve)
		}
	})
}

// writeProfile writes the profile, or as much of it as its share of the log has room for.
func (c *logClient) writeProfile(r api.Request, p *profile.Profile) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	data, err := encodeWithin(p, c.log.Room()/c.pending)
	if err != nil {
		return err
	}
	if err := c.log.Write(api.LogKind(api.LogProfile, r.Type), data); err != nil {
		return err // writeError decrements pending
	}
	c.pending--
	return nil
}

// writeError writes why there is no profile.
func (c *logClient) writeError(r api.Request, err error) error {
	e := &api.Error{Reason: api.ReasonInternal, Message: err.Error()}
	errors.As(err, &e)
	data, jsonErr := json.Marshal(e)
	c.mu.Lock()
	c.pending--
	c.mu.Unlock()
	return errors.Join(err, jsonErr, c.write(api.LogKind(api.LogError, r.Type), data, 0))
}

// write writes a block if reserve bytes of room remain after it, and returns logs.ErrFull otherwise.
func (c *logClient) write(kind string, data []byte, reserve int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(data) > c.log.Room()-reserve {
		return logs.ErrFull
	}
	return c.log.Write(kind, data)
}
