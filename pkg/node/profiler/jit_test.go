//go:build linux

package profiler

import (
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// A Node program that compiles its functions while it runs and says where they are.
const nodeScript = `
function innermost(n) { let x = 0; for (let i = 0; i < n; i++) x = (x * 31 + i) | 0; return x; }
function turnNodeWheel(n) { return innermost(n) + innermost(n + 1); }
for (;;) turnNodeWheel(1e6);`

// The functions of Node have their names from the list that --perf-basic-prof makes Node write, under its
// PID in its own namespace and in its own /tmp.
func TestCodeMadeByNode(t *testing.T) {
	need.Root(t)
	const node = "/usr/bin/node"
	need.Program(t, node, "nodejs")
	for name, options := range map[string]struct {
		flag  string
		named bool
	}{"with a list": {"--perf-basic-prof", true}, "without": {"--no-perf-basic-prof", false}} {
		t.Run(name, func(t *testing.T) {
			tmp := t.TempDir()
			target := startContainerUntil(t, node, "/bin/sh", "-ec", `
				mkdir -p $0${1#/tmp}; mount --bind $1 $0${1#/tmp}; mount --rbind $0 /tmp # where $1, the profiler, is still to be found
				cd /tmp; exec $2 $3 -e "$4"`, tmp, buildDir, node, options.flag, nodeScript)
			var ours, unnamed float64
			right := func(p *profile.Profile) bool { // at first, on a busy machine for long, Node is busy with its start
				ours, unnamed = leafShare(p, "JS:*turnNodeWheel", "JS:*innermost"), leafShare(p, "[anon]")
				return options.named && ours >= 0.9 || !options.named && unnamed >= 0.9
			}
			if p := recordEnough(t, right, target); !right(p) {
				t.Errorf("our functions have %.2f of the samples, code without a name %.2f:\n%v", ours, unnamed, p)
			}
		})
	}
}

// leafShare returns the share of the samples in functions whose names begin with one of the prefixes.
func leafShare(p *profile.Profile, prefixes ...string) float64 {
	all, those := int64(0), int64(0)
	for _, s := range p.Sample {
		all += s.Value[0]
		if lines := s.Location[0].Line; len(lines) > 0 {
			for _, prefix := range prefixes {
				if strings.HasPrefix(lines[0].Function.Name, prefix) {
					those += s.Value[0]
				}
			}
		}
	}
	return float64(those) / float64(max(all, 1))
}
