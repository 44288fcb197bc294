package client

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// maxCmdline bounds the arguments, in bytes.
const maxCmdline = 1 << 20

// Cmdline asks for the arguments of the target's first process, a zero byte between two.
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
