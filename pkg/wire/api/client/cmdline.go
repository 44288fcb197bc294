package client

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// maxCmdline is the length of the arguments that are read, at most, in bytes.
const maxCmdline = 1 << 20

// Cmdline returns the arguments of the target's first process, separated by zero bytes.
func (c *Client) Cmdline(ctx context.Context) (text []byte, err error) {
	err = c.retry(ctx, func() (bool, error) {
		resp, err := c.do(ctx, http.MethodGet, api.PathCmdline, nil, nil)
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		if text, err = io.ReadAll(io.LimitReader(resp.Body, maxCmdline)); err != nil {
			return false, fmt.Errorf("the answer broke off: %w", err)
		}
		return true, nil
	})
	return text, err
}
