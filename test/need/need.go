// Package need skips tests on machines without root or a program that they need. Where PPROF_TEST_ALL
// is set, as by make test, such a test fails instead. It must not depend on what is tested.
package need

import (
	"os"
	"os/exec"
	"testing"
)

// Root skips or fails the test unless it runs as root.
func Root(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		lacks(t, "root")
	}
}

// Program skips or fails the test unless a program, given by its name or path, is installed. The
// message names the Debian package that contains it, which make deps installs.
func Program(t testing.TB, name, debian string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		lacks(t, name+", of Debian's "+debian)
	}
}

func lacks(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("PPROF_TEST_ALL") != "" {
		t.Fatalf("this test needs %s", what)
	}
	t.Skipf("left out: it needs %s", what)
}
