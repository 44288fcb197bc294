package api

import (
	"context"
	"net"

	"github.com/google/pprof/profile"
)

// Client talks to one profiler. It connects when first used and again after a connection broke.
// Its methods may be called from several goroutines.
type Client struct {
	dial func(context.Context) (net.Conn, error)
}

// NewClient makes a client that gets its connections from dial.
func NewClient(dial func(ctx context.Context) (net.Conn, error)) *Client {
	return &Client{dial: dial}
}

// NewCaptureID returns a random ID for Request.Capture.
func NewCaptureID() string { return "" }

// Version asks what runs on the other side; it is the cheapest request and so proves the way.
func (c *Client) Version(ctx context.Context) (*Version, error) { return nil, nil }

// Profile asks for a profile and blocks until it has arrived whole, its length and digest
// verified. A connection that breaks is opened again and the transfer resumed; the error is that
// of the last attempt when several in a row brought nothing. A refusal is an *Error.
func (c *Client) Profile(ctx context.Context, r Request) (*profile.Profile, error) { return nil, nil }

// Progress calls report for each line of the capture's progress until its state is final or ctx
// is done. It may be called before Profile has reached the profiler.
func (c *Client) Progress(ctx context.Context, capture string, report func(Progress)) error {
	return nil
}

// Stop ends the sampling of a capture early; Profile then returns what was sampled.
func (c *Client) Stop(ctx context.Context, capture string) error { return nil }

// Exit tells the profiler to end. One that was started with a time to be kept goes back to waiting
// instead, unless force is set.
func (c *Client) Exit(ctx context.Context, force bool) error { return nil }

// Close closes the connection, if there is one.
func (c *Client) Close() error { return nil }
