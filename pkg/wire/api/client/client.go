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

// Client talks to one profiler. It connects when first used and again after a connection broke.
// Its methods may be called from several goroutines.
type Client struct {
	dial    func(ctx context.Context) (net.Conn, error)
	lock    chan struct{} // full when somebody owns conn and closed; a mutex could not be left when ctx ends
	conn    *http.ClientConn
	closed  bool
	made    int           // connections so far
	stalled int           // attempts to connect in a row
	pause   time.Duration // before the second attempt

	// Broken is told of each failed attempt, the second and later ones without progress in between; it says whether
	// there is no use in trying again. It may be called by several goroutines at once; nil if nobody knows.
	Broken func(ctx context.Context, err error) (hopeless bool)
}

// New returns a client that gets its connections from dial. The end of dial's ctx must not end
// the connection.
func New(dial func(ctx context.Context) (net.Conn, error)) *Client {
	return &Client{
		dial:  dial,
		lock:  make(chan struct{}, 1),
		pause: firstPause,
	}
}

// pingTimeout is how long the client waits for the answer to a ping: a profiler in a throttled pod may be slow.
const pingTimeout = 15 * time.Second

// maxWindow is how many bytes may be on their way to us at once.
const maxWindow = 1 << 20

// minWindow is that of connections that break again and again, in bytes. A WebSocket carries all that is on its way as
// one message, of which a part is nothing.
const minWindow = 2 << 10

// windowOf is how many bytes may be on their way to us on a connection that is one after so many others. One that has a
// Window lets no more be: what was when it breaks comes first on the next.
func windowOf(conn net.Conn, made int) int {
	window := maxWindow
	if w, ok := conn.(interface{ Window() int }); ok {
		window = w.Window()
	}
	return max(window>>(4*made), minWindow)
}

// handshake begins HTTP/2 on a connection.
func handshake(ctx context.Context, conn net.Conn, window int) (*http.ClientConn, error) {
	transport := &http.Transport{
		Protocols:          api.Protocols(),
		DialContext:        func(context.Context, string, string) (net.Conn, error) { return conn, nil },
		DisableCompression: true, // profiles are compressed
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

// Version asks what runs on the other side. It is the cheapest request and so proves the way;
// unlike the others it is tried once.
func (c *Client) Version(ctx context.Context) (*api.Version, error) {
	resp, err := c.do(ctx, http.MethodGet, api.PathVersion, nil, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	v := new(api.Version)
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxSmallBody)).Decode(v); err != nil {
		return nil, fmt.Errorf("the profiler's version is unreadable: %w", err)
	}
	return v, nil
}

// Stop ends the sampling of a capture early; Profile then returns what was sampled.
func (c *Client) Stop(ctx context.Context, capture string) error {
	return c.post(ctx, api.PathStop, url.Values{"capture": {capture}})
}

// Exit tells the profiler to end. One that was started with a time to be kept goes back to waiting
// instead, unless force is set.
func (c *Client) Exit(ctx context.Context, force bool) error {
	q := url.Values{}
	if force {
		q.Set("force", "1")
	}
	return c.post(ctx, api.PathExit, q)
}

// Close closes the connection, if there is one. All methods fail from then on with net.ErrClosed.
func (c *Client) Close() error {
	c.lock <- struct{}{}
	defer func() { <-c.lock }()
	c.closed = true
	if c.conn == nil {
		return nil
	}
	return c.conn.Close()
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

// maxSmallBody bounds answers that are not profiles, in bytes.
const maxSmallBody = 64 << 10

// do sends a request over the current connection, or a new one if that is broken. Any status
// other than 2xx becomes an *api.Error.
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

// An attempt to connect that stalls is given up for another: the first few soon, for the profiler waits 12 s for a client
// whose connection was closed; later ones may lie on a cluster that takes its time.
const (
	quickDials       = 3
	quickDialTimeout = 3 * time.Second
	dialTimeout      = 15 * time.Second
)

const (
	firstPause = 200 * time.Millisecond // between two attempts, doubled each time
	maxPause   = 5 * time.Second
	// maxSilence is how long attempts may bring nothing: as long as the profiler keeps what it has.
	maxSilence = api.UnattendedTime
	// maxDamaged is how often in a row something may arrive damaged: then it is no accident.
	maxDamaged = 3
)

// retry calls try until it succeeds, is refused, ctx is done, nothing has come for maxSilence, or Broken says that
// there is no hope.
func (c *Client) retry(ctx context.Context, try func() (progress bool, err error)) error {
	pause, since, failed := c.pause, time.Now(), 0
	for {
		progress, err := try()
		var refusal *api.Error
		if err == nil || errors.As(err, &refusal) || errors.Is(err, errClosed) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if failed++; progress {
			pause, since, failed = c.pause, time.Now(), 1
		}
		if time.Since(since) > maxSilence || failed >= maxDamaged && errors.Is(err, ErrDamaged) || failed > 1 && c.Broken != nil && c.Broken(ctx, err) {
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
