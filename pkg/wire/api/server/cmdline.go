package server

import "net/http"

// Commander is a Capturer that knows the target's first process.
type Commander interface {
	// Cmdline gives its arguments, a zero byte between two.
	Cmdline() ([]byte, error)
}

func serveCmdline(w http.ResponseWriter, c Commander) {
	text, err := c.Cmdline()
	if err != nil {
		writeError(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write(text) // an error means that the client is gone
}
