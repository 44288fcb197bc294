package api

// Version describes the profiler and the node that it runs on.
type Version struct {
	Version string `json:"version"`
	Kernel  string `json:"kernel"` // release, as uname -r prints it
	Arch    string `json:"arch"`   // as GOARCH
}
