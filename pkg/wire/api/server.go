package api

import (
	"io"
	"log"
	"net/http"
	"time"
)

// A connection without a frame for pingAfter is asked for a sign of life and closed after
// pingTimeout without one. Together they bound how long a profiler outlives a client that vanished
// without a word, and pingAfter keeps the connection open where idle ones are cut: 20 s is the
// shortest limit known (HAProxy as kubeadm configures it).
const (
	pingAfter         = 4 * time.Second
	pingTimeout       = 5 * time.Second
	clientPingTimeout = 15 * time.Second // a throttled pod may let its profiler wait
)

// NewServer serves the handler as unencrypted HTTP/2; give it a listener.
func NewServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:   h,
		Protocols: onlyHTTP2(),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          64,       // a few for each capture
			MaxReceiveBufferPerConnection: 64 << 10, // requests are small
			MaxReceiveBufferPerStream:     64 << 10,
			SendPingTimeout:               pingAfter,
			PingTimeout:                   pingTimeout,
			WriteByteTimeout:              pingAfter + pingTimeout,
		},
		ReadHeaderTimeout: 10 * time.Second,
		MaxHeaderBytes:    8 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // clients that vanish are no news
	}
}

func onlyHTTP2() *http.Protocols {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	return p
}
