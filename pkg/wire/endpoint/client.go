package endpoint

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/read"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// Client takes profiles from a program that serves net/http/pprof.
type Client struct {
	http *http.Client
}

// NewClient returns a client. The transport must connect to the program whatever the host in a request's URL is.
func NewClient(transport http.RoundTripper) *Client {
	return &Client{&http.Client{
		Transport: transport,
		// The program is not trusted to name another server.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

const (
	maxIndex   = 1 << 20 // bytes
	maxProfile = 256 << 20
	maxRefusal = 200
)

// Check returns an error unless the program serves the index of net/http/pprof.
func (c *Client) Check(ctx context.Context) error {
	body, err := c.get(ctx, Root, nil, maxIndex)
	if err != nil {
		return err
	}
	// All versions have the title and the link (net/http/pprof, indexTmpl and Index).
	if !bytes.Contains(body, []byte("/debug/pprof/")) || !bytes.Contains(body, []byte("goroutine?debug=")) {
		return fmt.Errorf("the page at %s is not the index of net/http/pprof", Root)
	}
	return nil
}

// Profile takes a profile.
func (c *Client) Profile(ctx context.Context, r api.Request) (*profile.Profile, error) {
	t := r.Type
	if !HasType(t) {
		return nil, fmt.Errorf("net/http/pprof has no profiles of type %s", t.Name)
	}
	q := url.Values{}
	if !t.Instant {
		q.Set("seconds", strconv.Itoa(max(int(r.Duration.Seconds()+0.5), 1)))
	}
	body, err := c.get(ctx, t.Path, q, maxProfile)
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(body, []byte("\x1f\x8b")) { // gzip, RFC 1952
		return nil, fmt.Errorf("its answer to %s is not a profile: %.*q", t.Path, maxRefusal, body)
	}
	p, err := read.Pprof(body)
	if err != nil {
		return nil, fmt.Errorf("its answer to %s is not a profile: %w", t.Path, err)
	}
	return p, nil
}

// HasType reports whether net/http/pprof has the profile type.
func HasType(t api.ProfileType) bool {
	switch t {
	case api.CPU, api.Heap, api.Allocs, api.Goroutine, api.Mutex, api.Block:
		return true
	}
	return false
}

func (c *Client) get(ctx context.Context, path string, q url.Values, limit int64) ([]byte, error) {
	u := url.URL{Scheme: "http", Host: "localhost", Path: path, RawQuery: q.Encode()}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, cause(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("it answers %s to %s: %.*q", resp.Status, path, maxRefusal, strings.TrimSpace(string(body)))
	case err != nil:
		return nil, fmt.Errorf("its answer to %s broke off: %w", path, err)
	case int64(len(body)) > limit:
		return nil, fmt.Errorf("its answer to %s is larger than %d bytes", path, limit)
	}
	return body, nil
}

// cause removes the URL from an error, because the user does not know it.
func cause(err error) error {
	if e, ok := err.(*url.Error); ok {
		return e.Err
	}
	return err
}
