package api

// Paths of the API. Profiles have the path of their ProfileType.
const (
	PathVersion  = "/version"
	PathProgress = "/progress"
	PathSlice    = "/slice"
	PathStop     = "/stop"
	PathExit     = "/exit"
	PathCmdline  = "/debug/pprof/cmdline" // as in net/http/pprof
)
