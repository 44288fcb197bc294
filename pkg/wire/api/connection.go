package api

import (
	"net/http"
	"time"
)

// PingInterval is how long a connection may be silent before either end sends a ping. It keeps connections open where idle ones
// are closed: the shortest limit known is 20 s (HAProxy as kubeadm configures it).
const PingInterval = 4 * time.Second

// UnattendedTime is how long a profiler keeps a finished result, and how long it waits for a silent client to come back.
const UnattendedTime = 2 * time.Minute

// Protocols returns the protocol of the API: unencrypted HTTP/2 only.
func Protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	return p
}
