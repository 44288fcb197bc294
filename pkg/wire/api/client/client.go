// Package client is the plugin's side of the API: New returns a Client that requests profiles from one profiler, over connections
// that it opens again when they break. It must not depend on how a connection is made.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// Client sends requests to one profiler. It connects on first use, and again after a connection has broken. Its methods may be
// called by several goroutines at once.
type Client struct {
	dial    func(ctx context.Context) (net.Conn, error)
	lock    chan struct{} // holds a value while a goroutine uses the fields below; unlike a mutex it can be waited for until ctx ends
	conn    *http.ClientConn
	closed  bool
	made    int           // connections made so far
	stalled int           // attempts to connect that timed out, in a row
	pause   time.Duration // before the second attempt of a request

	// Broken is called for the second and each later failed attempt without progress in between. It reports whether further
	// attempts are hopeless. It may be called by several goroutines at once, and may be nil.
	Broken func(ctx context.Context, err error) (hopeless bool)
	// Timing is called when a profile has arrived, with the profiler's steps and the time that
	// sending took. It may be called by several goroutines at once, and may be nil.
	Timing func(profileType api.ProfileType, steps []api.Step)
}

// New returns a client that connects with dial. Cancelling the context of dial must not close the connection.
func New(dial func(ctx context.Context) (net.Conn, error)) *Client {
	return &Client{
		dial:  dial,
		lock:  make(chan struct{}, 1),
		pause: firstPause,
	}
}

// pingTimeout is how long the client waits for the answer to a ping: a profiler in a throttled pod may be slow.
const pingTimeout = 15 * time.Second

// maxWindow is the flow control window: how many bytes may be on their way to the client.
const maxWindow = 1 << 20

// minWindow is the window, in bytes, of connections that break again and again. A WebSocket carries everything that is on its way
// as one message, and of a message that is cut nothing arrives.
const minWindow = 2 << 10

// windowOf returns the window for a connection after made others. A connection can limit it with a method Window: what is on its
// way when an attached stream breaks arrives first on the next one.
func windowOf(conn net.Conn, made int) int {
	window := maxWindow
	if w, ok := conn.(interface{ Window() int }); ok {
		window = w.Window()
	}
	return max(window>>(4*made), minWindow)
}

// handshake starts HTTP/2 on a connection.
func handshake(ctx context.Context, conn net.Conn, window int) (*http.ClientConn, error) {
	transport := &http.Transport{
		Protocols:          api.Protocols(),
		DialContext:        func(context.Context, string, string) (net.Conn, error) { return conn, nil },
		DisableCompression: true, // profiles are compressed already
		HTTP2: &http.HTTP2Config{
			MaxReceiveBufferPerConnection: maxWindow,
			MaxReceiveBufferPerStream:     window,
			SendPingTimeout:               api.PingInterval,
			PingTimeout:                   pingTimeout,
			WriteByteTimeout:              pingTimeout,
		},
	}
	return transport.NewClientConn(ctx, "http", "profiler:80")
}

// Version returns the version of the profiler. It is the cheapest request and tests the connection: unlike other requests it is
// not repeated.
func (c *Client) Version(ctx context.Context) (*api.Version, error) {
	resp, err := c.do(ctx, http.MethodGet, api.PathVersion, nil, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	v := new(api.Version)
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxSmallBody)).Decode(v); err != nil {
		return nil, fmt.Errorf("parse the profiler's version: %w", err)
	}
	return v, nil
}

// Stop stops the sampling of a capture early. Profile then returns what was sampled.
func (c *Client) Stop(ctx context.Context, capture string) error {
	return c.post(ctx, api.PathStop, url.Values{"capture": {capture}})
}

// Exit tells the profiler that this client needs it no longer. The profiler then exits. One that is kept for later clients waits
// for them instead, unless force is set.
func (c *Client) Exit(ctx context.Context, force bool) error {
	q := url.Values{}
	if force {
		q.Set("force", "1")
	}
	return c.post(ctx, api.PathExit, q)
}

// Close closes the connection, if there is one. Afterwards all methods fail with net.ErrClosed.
func (c *Client) Close() error {
	c.lock <- struct{}{}
	defer func() { <-c.lock }()
	c.closed = true
	if c.conn == nil {
		return nil
	}
	return c.conn.Close()
}

// disconnect makes the next request use a new connection.
func (c *Client) disconnect() {
	c.lock <- struct{}{}
	defer func() { <-c.lock }()
	if c.conn != nil {
		c.conn.Close()
	}
}

func (c *Client) post(ctx context.Context, path string, q url.Values) error {
	return c.retry(ctx, func() (bool, error) {
		resp, err := c.do(ctx, http.MethodPost, path, q, nil)
		if err != nil {
			return false, err
		}
		return false, resp.Body.Close()
	})
}

var errClosed = fmt.Errorf("the client of the profiler is closed: %w", net.ErrClosed)

// maxSmallBody is the largest response accepted, in bytes, unless it is a profile.
const maxSmallBody = 64 << 10

// do sends a request over the current connection, or a new one if that is broken. Any status other than 2xx is returned as an
// *api.Error.
func (c *Client) do(ctx context.Context, method, path string, q url.Values, h http.Header) (*http.Response, error) {
	conn, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	u := url.URL{Scheme: "http", Host: "profiler", Path: path, RawQuery: q.Encode()}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, err
	}
	for k, v := range h {
		req.Header[k] = v
	}
	resp, err := conn.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("the connection to the profiler broke: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		defer resp.Body.Close()
		return nil, readError(resp)
	}
	return resp, nil
}

func (c *Client) connect(ctx context.Context) (*http.ClientConn, error) {
	select {
	case c.lock <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-c.lock }()
	if c.closed {
		return nil, errClosed
	}
	if c.conn != nil && c.conn.Err() == nil {
		return c.conn, nil
	}
	timeout := dialTimeout
	if c.stalled < quickDials {
		timeout = quickDialTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	raw, err := c.dial(ctx)
	var conn *http.ClientConn
	if err == nil {
		if conn, err = handshake(ctx, raw, windowOf(raw, c.made)); err != nil {
			raw.Close()
		}
	}
	if err != nil {
		if ctx.Err() != nil {
			c.stalled++
		}
		return nil, err
	}
	c.conn, c.stalled = conn, 0
	c.made++
	return conn, nil
}

func readError(resp *http.Response) *api.Error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxSmallBody))
	e := new(api.Error)
	if json.Unmarshal(body, e) != nil || e.Message == "" {
		e = &api.Error{Reason: api.ReasonInternal, Message: fmt.Sprintf("the profiler answered %s: %.200s", resp.Status, strings.TrimSpace(string(body)))}
	}
	e.Status = resp.StatusCode
	return e
}

// An attempt to connect that stalls is abandoned for another. The first few are abandoned soon, because the profiler waits only 12 s
// for a client whose connection was closed; later ones allow for a slow cluster.
const (
	quickDials       = 3
	quickDialTimeout = 3 * time.Second
	dialTimeout      = 15 * time.Second
)

const (
	firstPause = 200 * time.Millisecond // between two attempts, doubled after each
	maxPause   = 5 * time.Second
	// maxSilence is how long attempts may bring nothing: as long as the profiler keeps its results.
	maxSilence = api.UnattendedTime
	// maxDamaged is how many profiles in a row may arrive damaged before the client gives up.
	maxDamaged = 3
)

// retry calls try until it succeeds, the profiler refuses the request, ctx is done, nothing has arrived for maxSilence, or Broken
// reports that further attempts are hopeless. try also reports whether anything has arrived. A refusal of the request's form is
// believed only if it is repeated over another connection: the request may have been damaged on its way.
func (c *Client) retry(ctx context.Context, try func() (progress bool, err error)) error {
	pause, since, failed := c.pause, time.Now(), 0
	doubted := false
	for {
		progress, err := try()
		var refusal *api.Error
		switch {
		case errors.As(err, &refusal) && refusal.Reason == api.ReasonBadRequest && !doubted:
			doubted = true
			c.disconnect()
		case err == nil || refusal != nil || errors.Is(err, errClosed):
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if failed++; progress {
			pause, since, failed = c.pause, time.Now(), 1
		}
		if time.Since(since) > maxSilence || failed >= maxDamaged && errors.Is(err, errDamaged) || failed > 1 && c.Broken != nil && c.Broken(ctx, err) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, maxPause)
	}
}
