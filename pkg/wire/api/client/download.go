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

// ErrDamaged says that a profile did not arrive as it was sent.
var ErrDamaged = errors.New("the profile was damaged on its way")

// maxProfile bounds what a profiler can make us hold, in bytes.
const maxProfile = 256 << 20

// Profile asks for a profile and blocks until it has arrived whole, its length and digest
// verified. A connection that breaks is opened again and the transfer resumed; the error is that
// of the last attempt when several in a row brought nothing. A refusal is an *api.Error.
func (c *Client) Profile(ctx context.Context, r api.Request) (*profile.Profile, error) {
	if r.Capture == "" {
		r.Capture = api.NewCaptureID() // else a second attempt would be a second capture
	}
	p, err := c.download(ctx, r.Type.Path, r.Query())
	if p == nil && err == nil {
		err = errors.New("the profiler sent no profile")
	}
	return p, err
}

// Slices calls add for each slice of a capture in the making, in their order and as they come, until sampling has
// ended or ctx is done. Together they are the profile of what was sampled up to at most 2 s before, but for the
// comments: those of the last one tell of all. It may be called before Profile has reached the profiler.
func (c *Client) Slices(ctx context.Context, capture string, add func(*profile.Profile)) error {
	for number := 1; ; number++ {
		p, err := c.download(ctx, api.PathSlice, url.Values{"capture": {capture}, "number": {strconv.Itoa(number)}})
		if p == nil || err != nil {
			return err
		}
		add(p)
	}
}

// download fetches a profile; nil if the profiler says that there is none.
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

// download is a transfer that goes on where the last attempt ended.
type download struct {
	client *Client
	path   string
	query  url.Values

	data   bytes.Buffer
	size   int64  // of the whole; known when etag is
	etag   string // "" until an answer began
	digest [sha256.Size]byte
	none   bool // the answer was that there is nothing
}

// attempt fetches what is missing, and reports whether anything came.
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

// begin reads an answer's headers: a whole one's replace what is known, a part's must fit to it.
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

// restart forgets what has come, so that the next attempt fetches the whole.
func (d *download) restart() {
	d.data.Reset()
	d.etag = ""
}
