package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

// cmdlinePath is that of net/http/pprof.
const cmdlinePath = "/debug/pprof/cmdline"

// Commander is a Capturer that knows the target's first process.
type Commander interface {
	// Cmdline gives its arguments, a zero byte between two.
	Cmdline() ([]byte, error)
}

// maxCmdline bounds the arguments, in bytes.
const maxCmdline = 1 << 20

func serveCmdline(w http.ResponseWriter, c Commander) {
	text, err := c.Cmdline()
	if err != nil {
		writeError(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write(text) // an error means that the client is gone
}

// Cmdline asks for the arguments of the target's first process, a zero byte between two.
func (c *Client) Cmdline(ctx context.Context) (text []byte, err error) {
	err = c.retry(ctx, func() (bool, error) {
		resp, err := c.do(ctx, http.MethodGet, cmdlinePath, nil, nil)
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
