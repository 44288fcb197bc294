// Package api defines the HTTP API through which the plugin requests profiles from the profiler: profile types, requests and
// their parameters, paths, limits, errors. Its subpackages client and server speak it, as unencrypted HTTP/2 over any net.Conn.
// It must not depend on Kubernetes or on how a profile is taken.
package api
