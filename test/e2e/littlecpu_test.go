//go:build linux

package e2e

import (
	"testing"
)

// The CPU limit of a pod may leave no room for a profiler, which would take half a minute to start
// there. The plugin says so and uses a Job, which has a limit of its own.
func TestPodWithLittleCPU(t *testing.T) {
	ns := namespace(t, "")
	start(t, podOf(ns, "starved", guaranteed(container("app", "/spin"), "20m", "200Mi")))
	const reason = `the CPU limit of pod "starved", 20m, leaves no room for the profiler`

	d := examine(t, 3, map[string]string{"CPU": "warning"}, "-n", ns, "starved")
	for _, c := range d.Checks {
		if c.Check == "CPU" && c.Remedy != "use --job, which has a CPU limit of its own" {
			t.Errorf("got %+v", c)
		}
	}
	p, r := profileOf(t, "-n", ns, "starved", "-d", "3s")
	expectTexts(t, r, "using a Job because "+reason)
	expectFunctions(t, p, []string{"main.descend"}, nil)
	if n := len(getPod(t, ns, "starved").Spec.EphemeralContainers); n != 0 {
		t.Errorf("%d ephemeral containers were added", n)
	}
	expectTexts(t, succeed(t, "-n", ns, "starved", "--ephemeral", "--dry-run"), reason)
}
