// Package version holds the version of both binaries, and the name of the profiler image of that version.
// It depends on nothing else of this module.
package version

import (
	"runtime/debug"
	"strings"
)

// repository is where releases of the profiler image are published.
const repository = "ghcr.io/kubectl-pprof/profiler"

// Version is set at link time (-X …/pkg/version.Version=v1.2.3). Otherwise it is the version of the module,
// as recorded by `go install …@v1.2.3`, or "dev".
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

// Image returns the name of this version's profiler image. Tags cannot have the "+" of a Go version with
// metadata (OCI distribution spec, grammar of tags); it becomes "-".
func Image() string {
	return repository + ":" + strings.ReplaceAll(Version, "+", "-")
}
