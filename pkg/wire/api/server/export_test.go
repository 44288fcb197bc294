package server

// Limits that the tests of package server_test check.
const (
	MaxRunning  = maxRunning
	MaxFinished = maxFinished
	PingTimeout = pingTimeout
)
