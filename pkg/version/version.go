// Package version says which release this program is, for both binaries. Its one entry point is
// Version; Image derives the profiler image that belongs to it. It must not know what either
// binary does.
package version

import (
	"runtime/debug"
	"strings"
)

// Repository is where releases of the profiler image are published.
const Repository = "ghcr.io/kubectl-pprof/profiler"

// Version is set at link time (-X …/pkg/version.Version=v1.2.3). Without that it is the version
// of the module, as `go install …@v1.2.3` records it, or "dev".
var Version = ""

func init() {
	if Version != "" {
		return
	}
	Version = "dev"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		Version = info.Main.Version
	}
}

// Image is the profiler image of this version. A "+" of a Go pseudo-version is not allowed in a
// tag (OCI distribution spec, "tag" grammar) and becomes "-".
func Image() string {
	return Repository + ":" + strings.ReplaceAll(Version, "+", "-")
}
