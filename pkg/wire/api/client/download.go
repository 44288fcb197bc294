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

	"github.com/google/pprof/profile"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// ErrDamaged means that a profile did not arrive as it was sent.
var ErrDamaged = errors.New("the profile was damaged in transit")

// maxProfile is the largest encoded profile accepted, in bytes.
const maxProfile = 256 << 20

// Profile requests a profile and returns it when it has arrived completely, with its length and digest verified. If the connection
// breaks, it connects again and resumes the transfer. If several attempts in a row bring nothing, it returns the error of the last
// one. A refusal by the profiler is an *api.Error.
func (c *Client) Profile(ctx context.Context, r api.Request) (*profile.Profile, error) {
	if r.Capture == "" {
		r.Capture = api.NewCaptureID() // otherwise a second attempt would start a second capture
	}
	p, err := c.download(ctx, r.Type.Path, r.Query())
	if p == nil && err == nil {
		err = errors.New("the profiler sent no profile")
	}
	return p, err
}

// Slices calls add with each slice of a running capture, in order, until sampling has ended or ctx is done. Merged, the slices are
// the profile of what was sampled until at most 2 s ago; the comments of the last slice cover all slices. Slices may be called before
// Profile has reached the profiler.
func (c *Client) Slices(ctx context.Context, capture string, add func(*profile.Profile)) error {
	for number := 1; ; number++ {
		p, err := c.download(ctx, api.PathSlice, url.Values{"capture": {capture}, "number": {strconv.Itoa(number)}})
		if p == nil || err != nil {
			return err
		}
		add(p)
	}
}

// download fetches a profile. It returns nil if the profiler answers that there is none.
func (c *Client) download(ctx context.Context, path string, query url.Values) (*profile.Profile, error) {
	d := download{client: c, path: path, query: query}
	if err := c.retry(ctx, func() (bool, error) { return d.attempt(ctx) }); err != nil || d.none {
		return nil, err
	}
	p, err := profile.ParseData(d.data.Bytes())
	if err != nil {
		return nil, fmt.Errorf("the profiler sent an unreadable profile: %w", err)
	}
	return p, nil
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
		return false, fmt.Errorf("%w: its sha-256 is %x, not %x", ErrDamaged, got, d.digest)
	}
	return true, nil
}

// begin checks a response's headers. A complete response restarts the transfer; a partial one must continue it.
func (d *download) begin(resp *http.Response) error {
	if resp.StatusCode == http.StatusPartialContent {
		want := fmt.Sprintf("bytes %d-%d/%d", d.data.Len(), d.size-1, d.size)
		if got := resp.Header.Get("Content-Range"); got != want {
			d.restart()
			return fmt.Errorf("%w: asked for %q, got %q", ErrDamaged, want, got)
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
	return nil
}

// restart discards what has arrived, so that the next attempt fetches the complete profile.
func (d *download) restart() {
	d.data.Reset()
	d.etag = ""
}
