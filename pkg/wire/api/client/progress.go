package client

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// Progress calls report with the progress of a capture, again and again until its state is final or ctx is done. It may be called
// before Profile has reached the profiler.
func (c *Client) Progress(ctx context.Context, capture string, report func(api.Progress)) error {
	return c.retry(ctx, func() (bool, error) { return c.watch(ctx, capture, report) })
}

// watch follows the progress over one connection and reports whether anything arrived.
func (c *Client) watch(ctx context.Context, capture string, report func(api.Progress)) (progress bool, err error) {
	resp, err := c.do(ctx, http.MethodGet, api.PathProgress, url.Values{"capture": {capture}}, nil)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body) // lines above 64 KiB are an error
	for lines.Scan() {
		var p api.Progress
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			return progress, fmt.Errorf("parse the profiler's progress: %w", err)
		}
		progress = true
		report(p)
		if p.Final() {
			return true, nil
		}
	}
	err = lines.Err()
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return progress, fmt.Errorf("the profiler's progress broke off: %w", err)
}
