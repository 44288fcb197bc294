// Package need leaves out tests on machines that lack what they need. Where everything is to run,
// as by make test, a test that cannot is a failure. It must not know what is tested.
package need

import (
	"os"
	"os/exec"
	"testing"
)

// Root is for tests that only root may run.
func Root(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		lacks(t, "root")
	}
}

// Program is for tests that run a program, by its name or path, of a package of Debian, which make
// deps installs.
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
