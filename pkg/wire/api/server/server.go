// Package server is the profiler's side of the API: New and NewHandler serve profiles that a Capturer takes. It must not depend
// on how they are taken or how a connection is made.
package server

import (
	"io"
	"log"
	"net/http"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// pingTimeout is how long the server waits for the answer to a ping before it closes the connection. Together with
// api.PingInterval it bounds how long a profiler outlives a client that vanished.
const pingTimeout = 5 * time.Second

// New returns a server of the handler that speaks unencrypted HTTP/2.
func New(h http.Handler) *http.Server {
	return &http.Server{
		Handler:   h,
		Protocols: api.Protocols(),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          64,       // a few per capture
			MaxReceiveBufferPerConnection: 64 << 10, // requests are small
			MaxReceiveBufferPerStream:     64 << 10,
			SendPingTimeout:               api.PingInterval,
			PingTimeout:                   pingTimeout,
			WriteByteTimeout:              api.PingInterval + pingTimeout,
		},
		ReadHeaderTimeout: 10 * time.Second,
		MaxHeaderBytes:    8 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // clients that vanish are expected
	}
}
