package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/read"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// errDamaged means that a profile did not arrive as it was sent.
var errDamaged = errors.New("the profile was damaged in transit")

// maxProfile is the largest encoded profile accepted, in bytes.
const maxProfile = 256 << 20

// maxSlices is the largest number of slices of a capture that are fetched. The profiler makes at
// most one a second, 3,600 in api.MaxDuration.
const maxSlices = 4000

// Profile requests a profile and returns it when it has arrived completely, with its length and digest verified. If the connection
// breaks, it connects again and resumes the transfer. If several attempts in a row bring nothing, it returns the error of the last
// one. A refusal by the profiler is an *api.Error.
func (c *Client) Profile(ctx context.Context, r api.Request) (*profile.Profile, error) {
	if r.Capture == "" {
		r.Capture = api.NewCaptureID() // otherwise a second attempt would start a second capture
	}
	d := download{client: c, path: r.Type.Path, query: r.Query()}
	data, err := d.run(ctx)
	if err != nil {
		return nil, err
	}
	if data == nil {
		return nil, errors.New("the profiler sent no profile")
	}
	p, err := read.Pprof(data)
	if err != nil {
		return nil, fmt.Errorf("the profiler sent an unreadable profile: %w", err)
	}
	if c.Timing != nil {
		c.Timing(r.Type, append(d.steps, api.Step{Name: "sending", Took: d.arrived.Sub(d.began)}))
	}
	return p, nil
}

// Slices calls add with each encoded slice of a running capture, in order, until sampling has
// ended, ctx is done, or add returns an error. Added up by slice.Sum, the slices are the profile of
// what was sampled until at most 2 s ago. Slices may be called before Profile has reached the
// profiler.
func (c *Client) Slices(ctx context.Context, capture string, add func(data []byte) error) error {
	for number := 1; number <= maxSlices; number++ {
		query := url.Values{"capture": {capture}, "number": {strconv.Itoa(number)}}
		d := download{client: c, path: api.PathSlice, query: query}
		data, err := d.run(ctx)
		if data == nil || err != nil {
			return err
		}
		if err := add(data); err != nil {
			return err
		}
	}
	return fmt.Errorf("the profiler sent more than %d slices of one profile", maxSlices)
}

// download is a transfer that continues where the last attempt ended.
type download struct {
	client *Client
	path   string
	query  url.Values

	data   bytes.Buffer
	size   int64  // of the complete profile; valid if etag is set
	etag   string // "" until a response has begun
	digest [sha256.Size]byte
	none   bool // the profiler has answered that there is no profile

	steps   []api.Step // of the profiler
	began   time.Time  // when the complete profile was announced
	arrived time.Time
}

// run fetches an encoded profile or slice. It returns nil if the profiler answers that there is none.
func (d *download) run(ctx context.Context) ([]byte, error) {
	if err := d.client.retry(ctx, func() (bool, error) { return d.attempt(ctx) }); err != nil || d.none {
		return nil, err
	}
	d.arrived = time.Now()
	return d.data.Bytes(), nil
}

// attempt fetches what is missing and reports whether anything arrived.
func (d *download) attempt(ctx context.Context) (progress bool, err error) {
	h := http.Header{}
	if d.etag != "" {
		h.Set("Range", fmt.Sprintf("bytes=%d-", d.data.Len()))
		h.Set("If-Match", d.etag)
	}
	resp, err := d.client.do(ctx, http.MethodGet, d.path, d.query, h)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNoContent {
		d.none = true
		return true, nil
	}
	if err := d.begin(resp); err != nil {
		return false, err
	}
	n, err := io.Copy(&d.data, io.LimitReader(resp.Body, d.size-int64(d.data.Len())))
	if missing := d.size - int64(d.data.Len()); missing > 0 {
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		return n > 0, fmt.Errorf("the profile's last %d of %d bytes did not arrive: %w", missing, d.size, err)
	}
	if got := sha256.Sum256(d.data.Bytes()); got != d.digest {
		d.restart()
		return false, fmt.Errorf("%w: its sha-256 is %x, not %x", errDamaged, got, d.digest)
	}
	return true, nil
}

// begin checks a response's headers. A complete response restarts the transfer; a partial one must continue it.
func (d *download) begin(resp *http.Response) error {
	if resp.StatusCode == http.StatusPartialContent {
		want := fmt.Sprintf("bytes %d-%d/%d", d.data.Len(), d.size-1, d.size)
		if got := resp.Header.Get("Content-Range"); got != want {
			d.restart()
			return fmt.Errorf("%w: asked for %q, got %q", errDamaged, want, got)
		}
		return nil
	}
	d.restart()
	digest, err := api.ParseDigest(resp.Header.Get("Repr-Digest"))
	if err != nil {
		return err
	}
	if resp.ContentLength < 1 || resp.ContentLength > maxProfile {
		return fmt.Errorf("the profiler announced a profile of %d bytes; at most %d are accepted", resp.ContentLength, maxProfile)
	}
	d.size, d.digest, d.etag = resp.ContentLength, digest, resp.Header.Get("ETag")
	d.steps, d.began = api.ParseTiming(resp.Header.Get(api.TimingHeader)), time.Now()
	return nil
}

// restart discards what has arrived, so that the next attempt fetches the complete profile.
func (d *download) restart() {
	d.data.Reset()
	d.etag = ""
}
