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

// NewClient makes a client; the transport leads to the program, whatever the host in a request's URL.
func NewClient(transport http.RoundTripper) *Client {
	return &Client{&http.Client{
		Transport: transport,
		// The program is not trusted to send us elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

const (
	maxIndex   = 1 << 20 // bytes
	maxProfile = 256 << 20
	maxRefusal = 200
)

// Check tells whether there is an index of net/http/pprof.
func (c *Client) Check(ctx context.Context) error {
	body, err := c.get(ctx, Root, nil, maxIndex)
	if err != nil {
		return err
	}
	// The title and a link are of all versions (net/http/pprof, indexTmpl and Index).
	if !bytes.Contains(body, []byte("/debug/pprof/")) || !bytes.Contains(body, []byte("goroutine?debug=")) {
		return fmt.Errorf("what it has at %s is not the index of net/http/pprof", Root)
	}
	return nil
}

// Profile takes a profile.
func (c *Client) Profile(ctx context.Context, r api.Request) (*profile.Profile, error) {
	t := r.Type
	if !HasType(t) {
		return nil, fmt.Errorf("net/http/pprof has no profile of the type %s", t.Name)
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
		return nil, fmt.Errorf("its answer to %s is no profile: %.*q", t.Path, maxRefusal, body)
	}
	p, err := read.Data(body)
	if err != nil {
		return nil, fmt.Errorf("its answer to %s is no profile: %w", t.Path, err)
	}
	return p, nil
}

// HasType tells whether net/http/pprof has profiles of a type.
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

// cause leaves out the URL, which is not one that the user knows.
func cause(err error) error {
	if e, ok := err.(*url.Error); ok {
		return e.Err
	}
	return err
}
